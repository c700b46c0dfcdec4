// What a firmware executed between two addresses, sample by sample: blocks, the edges between them, and which of their
// instructions a cache would not have had (mcusim_fetch.cs). Loads and stores are in mcusim_memory.cs, calls in mcusim_calls.cs,
// code in mcusim_code.cs, included before.
// The twin of mcusim/engines/qemu/qemu_plugin/profile.c and replay.h: the same files, priced by the same model.
//
// A block is a run of instructions that was executed from its first to its last. Where it ends is told by its code alone
// (McusimCode), as QEMU would end it, and not by where Renode did: else contexts, and so prices, would differ. No allocation
// per block: blocks and edges lie in arrays that open addressing finds. C# 7 at most: Renode under Mono compiles it too.
// One file, long as it is: one class whose parts all change the same tables.
//
// samples.bin: for each sample { edges, events } (two uint64), edges of { from, to, count }, events of { kind, block, address, count }
// code.bin: { start, bytes, 0 } (three uint32) and the bytes, for each block
// blocks.bin: { first address, end, address of the last instruction, instructions } for each block; block 0 is all outside
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

using Antmicro.Renode.Peripherals.CPU;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    public static class McusimProfileRun
    {
        // As Run of mcusim_job.cs, and counts everything between two addresses. `options`: a file of lines "key value".
        // Slow (a call from the core for each block and each access); meant for a few samples.
        public static void RunProfiled(this McusimMailbox mailbox, string job, string options)
        {
            var lines = File.ReadAllLines(options).Select(line => line.Split(new[] { ' ' }, 2)).ToList();
            var bus = mailbox.Machine.SystemBus;
            Func<string, string> value = key => lines.First(line => line[0] == key)[1];
            var profile = new McusimProfile(uint.Parse(value("from")), uint.Parse(value("to")), (at, bytes) => bus.ReadBytes((ulong)at, bytes));
            foreach(var line in lines.Where(line => !new[] { "from", "to", "folder" }.Contains(line[0])))
            {
                profile.Memory.Configure(line[0], line[1]);
            }
            var listener = new McusimListener(mailbox.Cpu, profile.OnBlock, profile.Memory.OnAccess, why => mailbox.Stop("error", why));
            listener.Listen(() => mailbox.RunAndSave(job, () => profile.Save(value("folder"))));
        }
    }

    public sealed class McusimProfile : IMcusimMeasurement
    {
        // `from`, `to`: a sample begins and ends where a block begins there. `code(address, bytes)` reads memory.
        // With `calls` a sample is a call of `from`, and `to` may be 0: it ends where that returns. Then interrupts and other
        // tasks are counted in the tree alone.
        public McusimProfile(uint from, uint to, Func<uint, int, byte[]> code, McusimCalls calls = null)
        {
            this.from = from;
            this.to = to;
            this.code = new McusimCode(code);
            this.calls = calls;
            Memory.Begins = this.code.Begins;
            fetch = new McusimFetch(Memory);
            NewBlock(uint.MaxValue, uint.MaxValue, uint.MaxValue, 0);
            if(calls != null)
            {
                calls.Measurement = this;
                tallyKeys = new ulong[McusimSlots.Count];
                tallyCounts = new ulong[McusimSlots.Count];
                hotTallies = new int[McusimSlots.Count];
            }
        }

        // Renode begins to execute so many instructions in a row.
        public void OnBlock(ulong pc, uint instructions)
        {
            var start = (uint)pc;
            if(start == to)
            {
                EndSample();
                return;
            }
            if(!inside)
            {
                if(start != from)
                {
                    return;
                }
                BeginSample();
            }
            Execute(start, instructions);
        }

        // The same where calls are followed. `interruptedSp`: the stack pointer when an exception came before this; else null.
        public void OnPiece(ulong pc, uint instructions, uint? interruptedSp)
        {
            var start = (uint)pc;
            var piece = PieceAt(start, instructions);
            if(interruptedSp.HasValue || calls.Arrives(piece))
            {
                calls.Arrive(piece, Registers(StackPointer), Registers(LinkRegister), interruptedSp);
            }
            if(inside && to != 0 && start == to)
            {
                End(false);
            }
            else if(!inside && start == from && !IsOver)
            {
                BeginSample();
                calls.Begin();
                Begun++;
            }
            if(inside)
            {
                Execute(start, instructions);
            }
            calls.Goes(piece);
        }

        // Reads one of the core.
        public Func<int, uint> Registers { get; set; }

        // Calls that began, and those of them that were measured.
        public ulong Begun { get; private set; }

        public ulong Measured { get; private set; }

        // So many are wanted; 0: all.
        public ulong Wanted { get; set; }

        // Nothing more is measured: enough was, or the firmware has ended.
        public bool IsOver { get; set; }

        // The firmware has ended in the middle of a call.
        public void LeaveOff()
        {
            IsOver = true;
            if(inside)
            {
                neverReturned++;
                EndSample();
            }
        }

        public void End(bool jumped)
        {
            if(to != 0 && jumped) // it is measured to another place
            {
                return;
            }
            EndSample();
            jumpedOut += jumped ? 1u : 0u;
            IsOver |= Measured == Wanted;
        }

        // An interrupt is not part of the straight line: what it left in its middle goes on there.
        public void Go(int newNode, bool nowElsewhere)
        {
            node = newNode;
            if(nowElsewhere == elsewhere)
            {
                return;
            }
            if(nowElsewhere)
            {
                interrupted = now;
                now = new Line();
            }
            else
            {
                if(now.Left != 0)
                {
                    CutShort();
                }
                now = interrupted;
            }
            elsewhere = nowElsewhere;
            Memory.Pause(elsewhere);
        }

        private void Execute(uint start, uint instructions)
        {
            if(now.Left == 0)
            {
                if(!elsewhere)
                {
                    fetch.Leave();
                }
                BeginBlock(start);
            }
            else if(start != starts[now.Block] + now.Reached)
            {
                CutShort();
                BeginBlock(start);
            }
            while(instructions > now.Left)
            {
                instructions -= now.Left;
                BeginBlock(ends[now.Block]);
            }
            now.Left -= instructions;
            if(now.Left != 0)
            {
                now.Reached = code.Size(starts[now.Block], sizes[now.Block] - now.Left);
            }
        }

        public void Save(string folder)
        {
            SaveCode(Path.Combine(folder, "code.bin"));
            if(calls != null)
            {
                var tallies = usedTallies.Where(slot => tallyCounts[slot] != 0).Select(TallyOf).ToList();
                calls.Tree.Save(Path.Combine(folder, "tree.bin"), tallies, neverReturned, jumpedOut);
            }
            using(var writer = new BinaryWriter(File.Create(Path.Combine(folder, "samples.bin"))))
            {
                samples.WriteTo(writer.BaseStream);
            }
            using(var writer = new BinaryWriter(File.Create(Path.Combine(folder, "blocks.bin"))))
            {
                for(var i = 0; i < blocks; i++)
                {
                    writer.Write(starts[i]);
                    writer.Write(ends[i]);
                    writer.Write(lasts[i]);
                    writer.Write(sizes[i]);
                }
            }
        }

        // { node, from, to, count }
        private ulong[] TallyOf(int slot)
        {
            var edge = edgeKeys[(int)(tallyKeys[slot] & uint.MaxValue)];
            return new[] { (tallyKeys[slot] >> 32) - 1, edge >> 32, edge & uint.MaxValue, tallyCounts[slot] };
        }

        // As memory holds it: code that runs from RAM is not in the ELF file where it runs.
        private void SaveCode(string path)
        {
            using(var writer = new BinaryWriter(File.Create(path)))
            {
                for(var i = 1; i < blocks; i++)
                {
                    var bytes = code.Bytes(starts[i], ends[i] - starts[i]);
                    writer.Write(starts[i]);
                    writer.Write((uint)bytes.Length);
                    writer.Write(0u); // it is not seen whether it changed
                    writer.Write(bytes);
                }
            }
        }

        public McusimMemory Memory { get; } = new McusimMemory();

        // ---- Samples ----

        private void BeginSample()
        {
            inside = true;
            elsewhere = false;
            node = McusimTree.Measured;
            now = new Line();
            fetch.BeginSample();
            Memory.BeginSample();
        }

        private void EndSample()
        {
            if(!inside)
            {
                return;
            }
            if(now.Left != 0)
            {
                CutShort();
            }
            Go(McusimTree.Measured, false);
            if(now.Left != 0)
            {
                CutShort();
            }
            fetch.Leave();
            inside = false;
            calls?.End();
            Measured++;
            Memory.EndSample();
            var output = new BinaryWriter(samples);
            var head = samples.Position;
            ulong edges = 0, events = 0;
            output.Write(edges);
            output.Write(events);
            foreach(var slot in usedEdges)
            {
                if(edgeCounts[slot] != 0)
                {
                    output.Write(edgeKeys[slot] >> 32);
                    output.Write(edgeKeys[slot] & uint.MaxValue);
                    output.Write(edgeCounts[slot]);
                    edgeCounts[slot] = 0;
                    edges++;
                }
            }
            events += fetch.Put(output);
            events += Memory.Put(output);
            samples.Position = head;
            output.Write(edges);
            output.Write(events);
            samples.Position = samples.Length;
        }

        // ---- Blocks and edges ----

        private void BeginBlock(uint start)
        {
            var block = Find(start, 0);
            if(!elsewhere)
            {
                fetch.Begin(block, ends[now.Block] != starts[block]);
            }
            CountEdge(now.Block, block, node);
            now.Block = block;
            now.Left = sizes[block];
        }

        // An interrupt or a fault left the block in its middle.
        private void CutShort()
        {
            var before = (int)(edgeKeys[now.Edge] >> 32);
            var of = node;
            if(!elsewhere)
            {
                fetch.Leave(starts[now.Block] + now.Reached - 1);
            }
            if(calls != null)
            {
                of = (int)(tallyKeys[now.Tally] >> 32) - 1;
                tallyCounts[now.Tally]--;
            }
            edgeCounts[now.Edge] -= elsewhere ? 0u : 1u;
            now.Block = Find(starts[now.Block], sizes[now.Block] - now.Left);
            CountEdge(before, now.Block, of);
            now.Left = 0;
        }

        // `instructions`: 0 for all of it.
        private int Find(uint start, uint instructions)
        {
            var key = (ulong)instructions << 32 | start;
            var slot = McusimSlots.Of(key);
            while(blockSlots[slot] != 0)
            {
                if(blockKeys[slot] == key)
                {
                    return blockSlots[slot];
                }
                slot = McusimSlots.After(slot);
            }
            var count = instructions != 0 ? instructions : code.Instructions(start);
            var end = start + code.Size(start, count);
            blockKeys[slot] = key;
            return blockSlots[slot] = NewBlock(start, end, start + code.Size(start, count - 1), count);
        }

        private int NewBlock(uint start, uint end, uint last, uint instructions)
        {
            if(blocks == starts.Length)
            {
                throw new InvalidOperationException("more than " + blocks + " blocks of code");
            }
            starts[blocks] = start;
            ends[blocks] = end;
            lasts[blocks] = last;
            sizes[blocks] = instructions;
            fetch.Add(start, end, instructions != 0);
            return blocks++;
        }

        private void CountEdge(int source, int target, int of)
        {
            var key = (ulong)source << 32 | (uint)target;
            var slot = hotEdges[source];
            if(edgeKeys[slot] != key || slot == 0)
            {
                slot = hotEdges[source] = SlotOf(key, edgeKeys, usedEdges, "edges between blocks");
            }
            edgeCounts[slot] += elsewhere ? 0u : 1u;
            now.Edge = slot;
            if(calls != null)
            {
                now.Tally = FindTally(slot, of);
                tallyCounts[now.Tally]++;
            }
        }

        private int FindTally(int edge, int of)
        {
            var key = (ulong)(of + 1) << 32 | (uint)edge;
            var slot = hotTallies[edge];
            return tallyKeys[slot] == key ? slot : hotTallies[edge] = SlotOf(key, tallyKeys, usedTallies, "edges in all calls");
        }

        // Where `key` is in a table, or from now on.
        private static int SlotOf(ulong key, ulong[] keys, List<int> used, string what)
        {
            var slot = McusimSlots.Of(key);
            while(keys[slot] != key && keys[slot] != 0)
            {
                slot = McusimSlots.After(slot);
            }
            if(keys[slot] == 0)
            {
                if(used.Count > McusimSlots.Full)
                {
                    throw new InvalidOperationException("more than " + used.Count + " " + what);
                }
                keys[slot] = key;
                used.Add(slot);
            }
            return slot;
        }

        private McusimPiece PieceAt(uint start, uint instructions)
        {
            var place = start / 2 % PiecesAtHand;
            var piece = atHand[place];
            if(piece != null && piece.Start == start && piece.Instructions == instructions)
            {
                return piece;
            }
            var key = (ulong)instructions << 32 | start;
            if(!pieces.TryGetValue(key, out piece))
            {
                pieces[key] = piece = code.Piece(start, instructions, calls.FunctionAt(start));
            }
            return atHand[place] = piece;
        }

        private const int MaxBlocks = McusimSlots.Count / 2;

        private readonly uint from, to;
        private readonly McusimCode code;
        private readonly MemoryStream samples = new MemoryStream();

        private readonly ulong[] blockKeys = new ulong[McusimSlots.Count];
        private readonly int[] blockSlots = new int[McusimSlots.Count];
        private readonly ulong[] edgeKeys = new ulong[McusimSlots.Count];
        private readonly ulong[] edgeCounts = new ulong[McusimSlots.Count];
        private readonly List<int> usedEdges = new List<int>();

        private readonly uint[] starts = new uint[MaxBlocks], ends = new uint[MaxBlocks];
        private readonly uint[] lasts = new uint[MaxBlocks], sizes = new uint[MaxBlocks];
        private readonly int[] hotEdges = new int[MaxBlocks];
        private readonly McusimFetch fetch;

        private bool inside, elsewhere;
        private int blocks, node;
        private Line now, interrupted; // the latter while it runs elsewhere

        private readonly McusimCalls calls;
        private readonly Dictionary<ulong, McusimPiece> pieces = new Dictionary<ulong, McusimPiece>();
        private readonly McusimPiece[] atHand = new McusimPiece[PiecesAtHand];
        private readonly ulong[] tallyKeys, tallyCounts;
        private readonly int[] hotTallies; // of each edge
        private readonly List<int> usedTallies = new List<int>();
        private ulong neverReturned, jumpedOut;

        private const int StackPointer = 13, LinkRegister = 14;
        private const uint PiecesAtHand = 1 << 14;

        // Where execution is: in a block, of which `Left` instructions do not run yet, and `Reached` bytes do; and how that was counted.
        private struct Line
        {
            public int Block, Edge, Tally;
            public uint Left, Reached;
        }
    }
}
