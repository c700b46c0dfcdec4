// Which call every block belongs to: stacks of calls, kept beside the firmware's own from its first instruction on, and the tree
// that is counted in. The twin of mcusim/engines/qemu/qemu_plugin/calls.h and tree.h, where the rules are told; only that an
// exception came need not be guessed here: the core says it. C# 7 at most: Renode under Mono compiles it too.
//
// functions.bin: { start, end, is it a handler of exceptions } (three uint32) by address
// tree.bin: { nodes, tallies, calls that never returned, calls that were left by a jump } (uint64), nodes of { parent, function,
// calls }, tallies of { node, from, to, count }
using System;
using System.Collections.Generic;
using System.IO;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    // How a piece of code is left, by its last instruction. The first two go on at Target or right behind it; a table is no
    // return from an exception, which any other indirect jump may be.
    public enum McusimExit { Falls, Direct, Call, CallIndirect, Indirect, Table, Supervisor }

    // What Renode runs in a row, from its first instruction to its last.
    public sealed class McusimPiece
    {
        // `last`, `first`, `second`: address and halfwords of the last instruction. `function`: its index; -1 without a symbol.
        public McusimPiece(uint start, uint end, uint instructions, uint last, ushort first, ushort second, int function)
        {
            Start = start;
            End = end;
            Instructions = instructions;
            Function = function;
            IsReturn = (first & 0xFF87) != 0x4700 || first == 0x4770; // an indirect jump, but for BX with another register than LR
            Exit = ExitOf(first, second);
            Target = Exit == McusimExit.Falls ? TargetOf(last + 4, first, second) : uint.MaxValue;
            if((Target & 1) == 0)
            {
                Exit = IsWideBranch(first, second) && (second & 0x5000) == 0x5000 ? McusimExit.Call : McusimExit.Direct;
            }
        }

        private McusimPiece()
        {
            Start = End = Target = uint.MaxValue;
            Function = -1;
        }

        // From where it is not known what ran before.
        public static readonly McusimPiece Outside = new McusimPiece();

        public readonly uint Start, End, Instructions;

        public readonly int Function;

        // Of a direct branch; else odd.
        public readonly uint Target;

        public readonly McusimExit Exit;

        // Does its jump go where a call or an exception came from, and is no computed one?
        public readonly bool IsReturn;

        // Encodings of the Armv7-M Architecture Reference Manual, A7.7.12, A7.7.18 and A7.7.21. Falls: also a direct branch.
        private static McusimExit ExitOf(ushort first, ushort second)
        {
            if((first & 0xFF00) == 0xDF00)
            {
                return McusimExit.Supervisor;
            }
            if((first & 0xFF87) == 0x4780)
            {
                return McusimExit.CallIndirect;
            }
            if((first & 0xFF87) == 0x4700 || (first & 0xFF00) == 0xBD00 // BX, POP
                || ((first & 0xFE50) == 0xE810 && (second & 0x8000) != 0)) // LDM
            {
                return McusimExit.Indirect;
            }
            if((first & 0xFD87) == 0x4487 // MOV, ADD to PC
                || ((first & 0xFFF0) == 0xE8D0 && (second & 0xFFE0) == 0xF000)) // TBB, TBH
            {
                return McusimExit.Table;
            }
            if((first & 0xFF70) == 0xF850 && second >> 12 == 15) // LDR: from the stack it is a return
            {
                return (first & 0xF) == StackPointer ? McusimExit.Indirect : McusimExit.Table;
            }
            return McusimExit.Falls;
        }

        // `at`: what the core has in its PC.
        private static uint TargetOf(uint at, ushort first, ushort second)
        {
            return IsWideBranch(first, second) ? WideTarget(at, first, second) : NarrowTarget(at, first);
        }

        private static bool IsWideBranch(ushort first, ushort second)
        {
            return (first & 0xF800) == 0xF000 && (second & 0x8000) != 0;
        }

        private static uint NarrowTarget(uint at, ushort first)
        {
            if((first & 0xF000) == 0xD000 && (first & 0x0F00) < 0x0E00) // B<c>
            {
                return at + (uint)((sbyte)(byte)first * 2);
            }
            if((first & 0xF800) == 0xE000) // B
            {
                return at + (uint)((int)((uint)first << 21) >> 20);
            }
            return (first & 0xF500) == 0xB100 ? at + (uint)((first >> 2 & 0x3E) | (first >> 3 & 0x40)) : uint.MaxValue; // CBZ
        }

        private static uint WideTarget(uint at, ushort first, ushort second)
        {
            uint sign = (uint)first >> 10 & 1, j1 = (uint)second >> 13 & 1, j2 = (uint)second >> 11 & 1;
            if((second & 0x5000) == 0) // B<c>.W
            {
                var offset = sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3Fu) << 12 | (second & 0x7FFu) << 1;
                return (first & 0x0380) == 0x0380 ? uint.MaxValue : at + offset - (sign << 21);
            }
            if((second & 0x1000) != 0) // B.W, BL
            {
                uint i1 = 1 ^ j1 ^ sign, i2 = 1 ^ j2 ^ sign;
                var offset = i1 << 23 | i2 << 22 | (first & 0x3FFu) << 12 | (second & 0x7FFu) << 1;
                return at + offset - (sign << 24);
            }
            return uint.MaxValue;
        }

        private const int StackPointer = 13;
    }

    // A node for each way by which a function was reached from the measured one.
    public sealed class McusimTree
    {
        public McusimTree(uint measured)
        {
            for(var i = 0; i < Roots; i++)
            {
                Add(i, i == Measured ? measured : uint.MaxValue);
            }
        }

        // Where `function` is called from `node`. One that calls itself, also by way of others, is one node: its cycles count once.
        public int Below(int node, uint function)
        {
            int below;
            var key = (ulong)node << 32 | function;
            if(!known.TryGetValue(key, out below))
            {
                known[key] = below = Find(node, function);
            }
            return below;
        }

        // One more call, unless that calls itself.
        public void Called(int node, int from)
        {
            calls[node] += node != from && parents[node] == from ? 1u : 0u;
        }

        public void MeasuredOnce()
        {
            calls[Measured]++;
        }

        public void Save(string path, IList<ulong[]> tallies, ulong neverReturned, ulong jumpedOut)
        {
            using(var writer = new BinaryWriter(File.Create(path)))
            {
                foreach(var number in new[] { (ulong)parents.Count, (ulong)tallies.Count, neverReturned, jumpedOut })
                {
                    writer.Write(number);
                }
                for(var i = 0; i < parents.Count; i++)
                {
                    writer.Write((ulong)parents[i]);
                    writer.Write((ulong)functions[i]);
                    writer.Write(calls[i]);
                }
                foreach(var tally in tallies)
                {
                    Array.ForEach(tally, writer.Write);
                }
            }
        }

        public const int Measured = 0, Interrupts = 1, Tasks = 2;

        private int Find(int node, uint function)
        {
            for(var above = node;; above = parents[above])
            {
                if(functions[above] == function)
                {
                    return above;
                }
                if(parents[above] == above)
                {
                    break;
                }
            }
            return parents.Count < MostNodes ? Add(node, function) : node; // its cycles are those of its caller
        }

        private int Add(int parent, uint function)
        {
            parents.Add(parent);
            functions.Add(function);
            calls.Add(0);
            return parents.Count - 1;
        }

        private readonly List<int> parents = new List<int>();
        private readonly List<uint> functions = new List<uint>();
        private readonly List<ulong> calls = new List<ulong>();
        private readonly Dictionary<ulong, int> known = new Dictionary<ulong, int>();

        private const int Roots = 3, MostNodes = 1 << 17;
    }

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
