// What a firmware executed between two addresses, sample by sample: blocks, the edges between them, and which of their
// instructions a cache would not have had. Loads and stores are in mcusim_memory.cs, included before. The twin of
// mcusim/engines/qemu/qemu_plugin/profile.c and replay.h: the same files, priced by the same model.
//
// A block is a run of instructions that was executed from its first to its last. No allocation per block: blocks and edges
// lie in arrays that open addressing finds. C# 7 at most: Renode under Mono compiles it too.
//
// samples.bin: for each sample { edges, events } (two uint64), edges of { from, to, count }, events of { kind, block, address, count }
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
            mailbox.Cpu.SetHookAtBlockBegin((Action<ulong, uint>)profile.OnBlock);
            HookAccesses(mailbox.Cpu, profile.Memory);
            mailbox.RunAndSave(job, () => profile.Save(value("folder")));
        }

        // Renode 1.16.1 and later tell the hook the width, 1.16.0 does not: which of the two is here is only known now.
        private static void HookAccesses(TranslationCPU cpu, McusimMemory memory)
        {
            var method = typeof(TranslationCPU).GetMethod("SetHookAtMemoryAccess");
            var type = method.GetParameters()[0].ParameterType;
            var hook = type.GetMethod("Invoke").GetParameters().Length == 6 ? "OnAccessOfWidth" : "OnAccessOnly";
            method.Invoke(cpu, new object[] { Delegate.CreateDelegate(type, memory, typeof(McusimMemory).GetMethod(hook)) });
        }
    }

    public sealed class McusimProfile
    {
        // `from`, `to`: a sample begins and ends where a block begins there. `code(address, bytes)` reads memory.
        public McusimProfile(uint from, uint to, Func<uint, int, byte[]> code)
        {
            this.from = from;
            this.to = to;
            this.code = code;
            NewBlock(uint.MaxValue, uint.MaxValue, uint.MaxValue, 0);
        }

        // A block begins to execute.
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
            var block = Find(start, instructions);
            if(granules[block] != 0)
            {
                Fetch(block, previous);
            }
            CountEdge(previous, block);
            previous = block;
        }

        public void Save(string folder)
        {
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

        public McusimMemory Memory { get; } = new McusimMemory();

        // ---- Samples ----

        private void BeginSample()
        {
            inside = true;
            previous = 0;
            Memory.BeginSample();
        }

        private void EndSample()
        {
            if(!inside)
            {
                return;
            }
            inside = false;
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
            for(var i = 0; i < blocks; i++)
            {
                events += McusimEvents.Put(output, McusimEvent.FetchMissJump, (uint)i, starts[i], ref jumpMisses[i]);
                for(var g = 0; g < granules[i]; g++)
                {
                    events += McusimEvents.Put(output, McusimEvent.FetchMissNext, (uint)i, (uint)g, ref nextMisses[i][g]);
                }
            }
            events += Memory.Put(output);
            samples.Position = head;
            output.Write(edges);
            output.Write(events);
            samples.Position = samples.Length;
        }

        // ---- Blocks and edges ----

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
            uint end = start, last = start;
            var bytes = code(start, (int)instructions * 4);
            for(var i = 0; i < instructions; i++)
            {
                last = end;
                var at = (int)(end - start);
                end += (bytes[at + 1] >> 3) >= 0x1D ? 4u : 2u; // a Thumb instruction by its first halfword
            }
            blockKeys[slot] = key;
            return blockSlots[slot] = NewBlock(start, end, last, instructions);
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
            if(instructions != 0 && Memory.IsSlow(start))
            {
                var granule = Memory.Instructions.Granule;
                granules[blocks] = (int)((end - 1) / granule - start / granule) + 1;
                nextMisses[blocks] = new ulong[granules[blocks]];
                ways[blocks] = new uint[MaxLines];
            }
            return blocks++;
        }

        private void CountEdge(int source, int target)
        {
            var key = (ulong)source << 32 | (uint)target;
            var slot = hotEdges[source];
            if(edgeKeys[slot] != key || slot == 0)
            {
                slot = McusimSlots.Of(key);
                while(edgeKeys[slot] != key && edgeKeys[slot] != 0)
                {
                    slot = McusimSlots.After(slot);
                }
                if(edgeKeys[slot] == 0)
                {
                    if(usedEdges.Count > McusimSlots.Full)
                    {
                        throw new InvalidOperationException("more than " + usedEdges.Count + " edges between blocks");
                    }
                    edgeKeys[slot] = key;
                    usedEdges.Add(slot);
                }
                hotEdges[source] = slot;
            }
            edgeCounts[slot]++;
        }

        // ---- Instruction cache ----

        // Most blocks are in the cache, since nothing was brought in after they last ran: only their lines' age changes then.
        private void Fetch(int block, int before)
        {
            var cache = Memory.Instructions;
            if(fills[block] != cache.Fills)
            {
                FetchSlowly(block, ends[before] != starts[block]);
                return;
            }
            if(block != before && cache.Refreshes)
            {
                var lines = ((ends[block] - 1) >> cache.LineBits) - (starts[block] >> cache.LineBits) + 1;
                for(var i = 0; i < lines; i++)
                {
                    cache.Touch(ways[block][i]);
                }
            }
            cache.Buffer(ends[block] - 1);
        }

        private void FetchSlowly(int block, bool jumped)
        {
            var cache = Memory.Instructions;
            uint address = starts[block], line = uint.MaxValue;
            var lines = 0;
            var known = true;
            for(var i = 0; i < granules[block]; i++)
            {
                if(cache.Read(address) == McusimCache.Found.Missed)
                {
                    if(i == 0 && jumped)
                    {
                        jumpMisses[block]++;
                    }
                    else
                    {
                        nextMisses[block][i]++;
                    }
                }
                if(address >> cache.LineBits != line)
                {
                    line = address >> cache.LineBits;
                    var way = cache.WayOf(line);
                    known &= lines < MaxLines && lines < cache.Lines && way != uint.MaxValue;
                    if(known)
                    {
                        ways[block][lines] = way;
                    }
                    lines++;
                }
                address = (address | (cache.Granule - 1)) + 1;
            }
            fills[block] = known ? cache.Fills : 0;
        }

        private const int MaxBlocks = McusimSlots.Count / 2;
        private const int MaxLines = 16;

        private readonly uint from, to;
        private readonly Func<uint, int, byte[]> code;
        private readonly MemoryStream samples = new MemoryStream();

        private readonly ulong[] blockKeys = new ulong[McusimSlots.Count];
        private readonly int[] blockSlots = new int[McusimSlots.Count];
        private readonly ulong[] edgeKeys = new ulong[McusimSlots.Count];
        private readonly ulong[] edgeCounts = new ulong[McusimSlots.Count];
        private readonly List<int> usedEdges = new List<int>();

        private readonly uint[] starts = new uint[MaxBlocks], ends = new uint[MaxBlocks];
        private readonly uint[] lasts = new uint[MaxBlocks], sizes = new uint[MaxBlocks];
        private readonly int[] granules = new int[MaxBlocks], hotEdges = new int[MaxBlocks];
        private readonly ulong[] jumpMisses = new ulong[MaxBlocks], fills = new ulong[MaxBlocks];
        private readonly ulong[][] nextMisses = new ulong[MaxBlocks][];
        private readonly uint[][] ways = new uint[MaxBlocks][];

        private bool inside;
        private int blocks, previous;
    }
}
