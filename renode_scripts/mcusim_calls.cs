// Which call every block belongs to: stacks of calls, kept beside the firmware's own from its first instruction on. The twin of
// mcusim/engines/qemu/qemu_plugin/calls.h, where the rules are told; only that an exception came need not be guessed here: the
// core says it. C# 7 at most: Renode under Mono compiles it too. One file, long as it is: it is one class
// whose parts all change the same stacks.
//
// functions.bin: { start, end, is it a handler of exceptions } (three uint32) by address
using System;
using System.Collections.Generic;
using System.IO;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    // Who counts what McusimCalls finds out.
    public interface IMcusimMeasurement
    {
        // The measured call is over. `jumped`: not by its return.
        void End(bool jumped);

        // What runs now belongs to that node; `elsewhere`: in an interrupt or in another task.
        void Go(int node, bool elsewhere);
    }

    public sealed class McusimCalls
    {
        public McusimCalls(string functionsFile, uint measured)
        {
            var words = File.ReadAllBytes(functionsFile);
            starts = new uint[words.Length / 12];
            ends = new uint[starts.Length];
            for(var i = 0; i < starts.Length; i++)
            {
                starts[i] = BitConverter.ToUInt32(words, 12 * i);
                ends[i] = BitConverter.ToUInt32(words, 12 * i + 4);
            }
            Tree = new McusimTree(measured);
            running = new Stack();
            stacks.Add(running);
        }

        public McusimTree Tree { get; }

        public IMcusimMeasurement Measurement { get; set; }

        public McusimPiece Last { get; private set; } = McusimPiece.Outside;

        // The index of the one there; -1: there is none.
        public int FunctionAt(uint address)
        {
            var at = Array.BinarySearch(starts, address);
            at = at < 0 ? ~at - 1 : at;
            return at >= 0 && address < ends[at] ? at : -1;
        }

        // False for what follows the piece before in the same function, of which nothing has to be found out.
        public bool Arrives(McusimPiece piece)
        {
            return Last.Exit > McusimExit.Direct || Last.Function != piece.Function
                || (piece.Start != Last.Target && piece.Start != Last.End);
        }

        // `sp`, `lr`: when it begins. `interruptedSp`: when an exception came before it; else null.
        public void Arrive(McusimPiece piece, uint stackPointer, uint linkRegister, uint? interruptedSp)
        {
            sp = stackPointer;
            lr = linkRegister;
            if(Last == McusimPiece.Outside)
            {
                running.BaseSp = sp;
                Push(EntryOf(piece), Nowhere);
            }
            else if(interruptedSp.HasValue)
            {
                EnterException(Last, piece, interruptedSp.Value);
            }
            else
            {
                Follow(Last, piece);
            }
            if(inside)
            {
                var top = Top;
                Measurement.Go(top != null ? top.Node : McusimTree.Measured, running != measuredStack || (top != null && top.Elsewhere));
            }
            lastSp = sp;
        }

        public void Goes(McusimPiece piece)
        {
            Last = piece;
        }

        public void Begin()
        {
            inside = true;
            measuredStack = running;
            measuredFrame = running.Depth - 1;
            if(Top != null)
            {
                Top.Node = McusimTree.Measured;
                Top.Elsewhere = false;
            }
            Tree.MeasuredOnce();
        }

        public void End()
        {
            inside = false;
        }

        // Entries of the functions on the stack, outermost first. Read by another thread: it may be a moment old.
        public uint[] Frames(int most)
        {
            var stack = running;
            var found = new uint[Math.Min(most, stack.Depth)];
            for(var i = 0; i < found.Length; i++)
            {
                found[i] = stack.Frames[i].Function;
            }
            return found;
        }

        // ---- Frames ----

        private bool IsEntry(McusimPiece piece)
        {
            return piece.Function >= 0 && starts[piece.Function] == piece.Start;
        }

        // Where there is no symbol, a call begins at its first block.
        private uint EntryOf(McusimPiece piece)
        {
            return piece.Function >= 0 ? starts[piece.Function] : piece.Start;
        }

        private Frame Top => running.Depth != 0 ? running.Frames[running.Depth - 1] : null;

        private Frame PushBelow(int parent, uint function, uint returnAddress)
        {
            var below = Top;
            var frame = running.Push();
            frame.Function = function;
            frame.ReturnAddress = returnAddress;
            frame.Sp = sp;
            frame.Tail = frame.Exception = false;
            frame.Elsewhere = inside && (running != measuredStack || (below != null && below.Elsewhere));
            frame.Interrupted = null;
            frame.Node = McusimTree.Measured;
            if(inside)
            {
                frame.Node = Tree.Below(parent, function);
                Tree.Called(frame.Node, parent);
            }
            return frame;
        }

        private Frame Push(uint function, uint returnAddress)
        {
            return PushBelow(Top != null ? Top.Node : McusimTree.Measured, function, returnAddress);
        }

        // Leaves `depth` frames of the running stack. `jumped`: not by their returns.
        private void PopTo(int depth, bool jumped)
        {
            running.Depth = depth;
            if(inside && running == measuredStack && depth <= measuredFrame)
            {
                Measurement.End(jumped);
            }
        }

        private bool IsMeasured(int depth)
        {
            return inside && running == measuredStack && depth <= measuredFrame;
        }

        // ---- Calls and jumps ----

        // A branch to another function. Functions that branch to each other in turn do not grow the stack.
        private void TailCall(McusimPiece piece)
        {
            var function = EntryOf(piece);
            for(var depth = running.Depth; depth != 0; depth--)
            {
                var frame = running.Frames[depth - 1];
                if(frame.Function == function && depth < running.Depth && !IsMeasured(depth))
                {
                    PopTo(depth, false);
                    return;
                }
                if(!frame.Tail || IsMeasured(depth))
                {
                    break;
                }
            }
            var top = Top;
            if(top == null || top.Function != function)
            {
                Push(function, Nowhere).Tail = top != null;
            }
        }

        // A part of a function that lies elsewhere (.cold) and back: the same frame as before.
        private void JumpBack(McusimPiece piece)
        {
            var function = EntryOf(piece);
            for(var depth = running.Depth; depth != 0; depth--)
            {
                if(running.Frames[depth - 1].Function == function)
                {
                    PopTo(depth, false);
                    return;
                }
                if(!running.Frames[depth - 1].Tail)
                {
                    return;
                }
            }
        }

        private bool Returns(uint address)
        {
            for(var depth = running.Depth; depth != 0; depth--)
            {
                var frame = running.Frames[depth - 1];
                if(frame.Exception)
                {
                    return false;
                }
                if(!frame.Tail && frame.ReturnAddress == address && frame.Sp == sp)
                {
                    PopTo(depth - 1, false);
                    return true;
                }
            }
            return false;
        }

        // Frames below which the stack pointer lies no longer.
        private void Unwind(McusimPiece piece)
        {
            var depth = running.Depth;
            while(depth != 0)
            {
                Frame frame = running.Frames[depth - 1], below = depth > 1 ? running.Frames[depth - 2] : null;
                var inCaller = below != null && below.Function == EntryOf(piece) && frame.Function != below.Function;
                var back = inCaller && frame.Sp == sp && !IsEntry(piece);
                if(frame.Exception || !(frame.Sp < sp || back))
                {
                    break;
                }
                depth--;
            }
            if(depth < running.Depth)
            {
                PopTo(depth, true);
            }
        }

        // What the last instruction of `before` did. An interrupt may have come between the two: that is over.
        private void Follow(McusimPiece before, McusimPiece piece)
        {
            var called = before.Exit == McusimExit.Call && piece.Start == before.Target;
            if(called || (before.Exit == McusimExit.CallIndirect && piece.Start != before.End))
            {
                Push(EntryOf(piece), before.End);
            }
            else if(GoesOn(before, piece))
            {
                if(piece.Function != before.Function)
                {
                    if(IsEntry(piece))
                    {
                        TailCall(piece);
                    }
                    else
                    {
                        JumpBack(piece);
                    }
                }
            }
            else if(before.Exit == McusimExit.Indirect || before.Exit == McusimExit.Table)
            {
                JumpedIndirectly(before, piece);
            }
        }

        private void JumpedIndirectly(McusimPiece before, McusimPiece piece)
        {
            if(Returns(piece.Start))
            {
                return;
            }
            var handler = before.Exit == McusimExit.Indirect ? InHandler() : null;
            var top = Top;
            if(handler != null && !StaysIn(handler, before, piece))
            {
                LeaveException(handler, piece);
            }
            else if(piece.Function == before.Function && !(top != null && top.Sp < sp))
            {
                return; // a table of jumps
            }
            else if(sp > running.BaseSp && running.BaseSp != 0)
            {
                LeaveStack(before, piece);
            }
            else
            {
                Unwind(piece);
                top = Top;
                if(IsEntry(piece) && !(top != null && top.Function == piece.Start && !top.Tail))
                {
                    TailCall(piece);
                }
            }
        }

        private static bool GoesOn(McusimPiece before, McusimPiece piece)
        {
            return piece.Start == before.Target || (piece.Start == before.End && before.Exit != McusimExit.Supervisor);
        }

        // ---- Exceptions and tasks ----

        // The frame of the exception whose handler itself runs, and nothing that it called; null.
        private Frame InHandler()
        {
            for(var depth = running.Depth; depth != 0; depth--)
            {
                var frame = running.Frames[depth - 1];
                if(frame.Exception || !frame.Tail)
                {
                    return frame.Exception ? frame : null;
                }
            }
            return null;
        }

        private void EnterException(McusimPiece before, McusimPiece piece, uint interruptedSp)
        {
            var chained = before.Exit == McusimExit.Indirect ? InHandler() : null;
            var interrupted = before;
            if(chained != null) // one handler directly after the other
            {
                interrupted = chained.Interrupted;
                interruptedSp = chained.InterruptedSp;
                PopTo(Array.IndexOf(running.Frames, chained), false);
            }
            var askedFor = chained == null && before.Exit == McusimExit.Supervisor;
            var frame = PushBelow(askedFor && Top != null ? Top.Node : McusimTree.Interrupts, EntryOf(piece), Nowhere);
            frame.Exception = true;
            frame.Interrupted = interrupted;
            frame.InterruptedSp = interruptedSp;
            frame.Elsewhere |= inside && !askedFor;
        }

        // A jump in a handler that is not its end: a computed one, or one to another function.
        private bool StaysIn(Frame handler, McusimPiece before, McusimPiece piece)
        {
            var same = piece.Function == before.Function;
            if(before.IsReturn)
            {
                return false;
            }
            var pushed = sp < handler.Sp && handler.Sp - sp < NearBytes;
            return IsExceptionReturn(lr) ? same || IsEntry(piece) : same && pushed;
        }

        private static bool IsExceptionReturn(uint address)
        {
            return (address & 0xFFFFFFE0) == 0xFFFFFFE0 && address != uint.MaxValue; // all ones: as after a reset
        }

        private void LeaveException(Frame frame, McusimPiece piece)
        {
            var interrupted = frame.Interrupted;
            uint leftSp = frame.InterruptedSp;
            var index = Array.IndexOf(running.Frames, frame);
            PopTo(index, false);
            for(var i = 0; i < index; i++)
            {
                if(running.Frames[i].Exception)
                {
                    Follow(interrupted, piece); // in the handler that it had interrupted
                    return;
                }
            }
            running.LeftAt = interrupted;
            running.LeftSp = leftSp;
            Resume(piece);
        }

        // A return to the thread: to the stack that was interrupted, or to another one, or to a new one.
        private void Resume(McusimPiece piece)
        {
            Stack best = null;
            uint nearest = uint.MaxValue, distance;
            foreach(var stack in stacks)
            {
                if(MayResume(stack, piece, out distance) && distance < nearest)
                {
                    best = stack;
                    nearest = distance;
                }
            }
            if(best == null && stacks.Count < MostStacks)
            {
                stacks.Add(best = new Stack());
            }
            SwitchTo(best ?? running, piece);
        }

        private bool MayResume(Stack stack, McusimPiece piece, out uint distance)
        {
            var at = stack.LeftAt;
            distance = sp > stack.LeftSp ? sp - stack.LeftSp : stack.LeftSp - sp;
            if(at == null)
            {
                return false;
            }
            var anywhere = at.Exit == McusimExit.Indirect || at.Exit == McusimExit.Table || at.Exit == McusimExit.CallIndirect;
            var near = (piece.Start >= at.Start && piece.Start <= at.End) || piece.Start == at.Target;
            return (near && distance < FarBytes) || (anywhere && distance < NearBytes);
        }

        private void SwitchTo(Stack stack, McusimPiece piece)
        {
            var before = stack.LeftAt;
            running = stack;
            stack.LeftAt = null;
            if(inside && stack != measuredStack) // its frames were pushed when nobody measured
            {
                var caller = McusimTree.Tasks;
                for(var i = 0; i < stack.Depth; i++)
                {
                    stack.Frames[i].Node = caller = Tree.Below(caller, stack.Frames[i].Function);
                    stack.Frames[i].Elsewhere = true;
                }
            }
            if(stack.Depth == 0)
            {
                stack.BaseSp = sp;
                PushBelow(McusimTree.Tasks, EntryOf(piece), Nowhere);
            }
            else if(before != null)
            {
                Follow(before, piece);
            }
        }

        // To another stack, without an exception.
        private void LeaveStack(McusimPiece before, McusimPiece piece)
        {
            if(leaving) // it is not left to itself again
            {
                return;
            }
            leaving = true;
            running.LeftAt = before;
            running.LeftSp = lastSp;
            Resume(piece);
            leaving = false;
        }

        private readonly uint[] starts, ends;
        private readonly List<Stack> stacks = new List<Stack>();
        private Stack running, measuredStack;
        private int measuredFrame; // index in `measuredStack`; -1: it is never left
        private uint sp, lr, lastSp;
        private bool inside, leaving;

        private const uint Nowhere = 1; // no instruction lies at an odd address
        private const uint FarBytes = 1 << 16, NearBytes = 1 << 10; // how far one piece moves the stack pointer
        private const int MostFrames = 1 << 16, MostStacks = 1 << 10;

        private sealed class Frame
        {
            public uint Function, ReturnAddress, Sp, InterruptedSp;
            public int Node;
            public bool Tail;      // it returns with the frame below
            public bool Exception; // it is left by a return from exception
            public bool Elsewhere; // it does not belong to the measured call
            public McusimPiece Interrupted;
        }

        // One of the thread, or of each task. `LeftAt`: the piece after which an exception came, while another stack runs.
        private sealed class Stack
        {
            public Frame Push()
            {
                if(Depth == MostFrames) // deeper than any stack of such a chip: it cannot be followed
                {
                    Depth--;
                }
                if(Depth == Frames.Length)
                {
                    Array.Resize(ref Frames, 2 * Depth);
                }
                return Frames[Depth++] = Frames[Depth - 1] ?? new Frame();
            }

            public Frame[] Frames = new Frame[64];
            public int Depth;
            public uint BaseSp, LeftSp;
            public McusimPiece LeftAt;
        }
    }
}
