// What a firmware executed between two addresses, sample by sample: blocks, the edges between them, and what caches would
// have done. The twin of mcusim/engines/qemu_plugin/replay.h and cache.h: the same files, priced by the same model.
//
// A block is a run of instructions that was executed from its first to its last. No allocation per block: blocks, edges and
// accesses lie in arrays that open addressing finds. C# 7 at most: Renode under Mono compiles it too.
//
// samples.bin: for each sample { edges, events } (two uint64), edges of { from, to, count }, events of { kind, block, address, count }
// blocks.bin: { first address, end, address of the last instruction, instructions } for each block; block 0 is all outside
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

using Antmicro.Renode.Logging.Profiling;
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
                profile.Configure(line[0], line[1]);
            }
            mailbox.Cpu.SetHookAtBlockBegin((Action<ulong, uint>)profile.OnBlock);
            HookAccesses(mailbox.Cpu, profile);
            mailbox.RunAndSave(job, () => profile.Save(value("folder")));
        }

        // Renode 1.16.1 and later tell the hook the width, 1.16.0 does not: which of the two is here is only known now.
        private static void HookAccesses(TranslationCPU cpu, McusimProfile profile)
        {
            var method = typeof(TranslationCPU).GetMethod("SetHookAtMemoryAccess");
            var type = method.GetParameters()[0].ParameterType;
            var hook = type.GetMethod("Invoke").GetParameters().Length == 6 ? "OnAccessOfWidth" : "OnAccessOnly";
            method.Invoke(cpu, new object[] { Delegate.CreateDelegate(type, profile, typeof(McusimProfile).GetMethod(hook)) });
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

        // Memory as the options of the QEMU plug-in describe it: icache, dcache, unified, flash, region.
        public void Configure(string name, string value)
        {
            replay = true;
            switch(name)
            {
            case "icache":
                instructionCache = new McusimCache(value);
                break;
            case "dcache":
                dataCache = new McusimCache(value);
                break;
            case "unified":
                unified = true;
                break;
            case "flash":
                flash = new Region(value);
                break;
            case "region":
                regions.Add(new Region(value));
                break;
            default:
                throw new ArgumentException("unknown option of the profile: " + name);
            }
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

        public void OnAccessOfWidth(ulong pc, MemoryOperation operation, ulong virtualAddress, ulong address, uint width, ulong value)
        {
            OnAccessOnly(pc, operation, virtualAddress, address, value);
        }

        public void OnAccessOnly(ulong pc, MemoryOperation operation, ulong virtualAddress, ulong address, ulong value)
        {
            if(operation != MemoryOperation.InsnFetch)
            {
                OnAccess(pc, virtualAddress);
            }
        }

        // The instruction at `pc` reads or writes `address`.
        public void OnAccess(ulong pc, ulong address)
        {
            if(!inside)
            {
                return;
            }
            var access = FindAccess((uint)pc);
            var at = (uint)address;
            access.Accesses++;
            if(!replay)
            {
                return;
            }
            if((at & 3) != 0)
            {
                access.Odd += at & 1;
                access.Half += (at & 3) == 2 ? 1u : 0u;
            }
            if(flash.Contains(at))
            {
                access.InFlash++;
                var found = (unified ? instructionCache : dataCache).Read(at);
                access.DataHits += found == McusimCache.Found.Cached ? 1u : 0u;
                access.DataMisses += found == McusimCache.Found.Missed ? 1u : 0u;
                return;
            }
            for(var i = 0; i < regions.Count; i++)
            {
                if(regions[i].Contains(at))
                {
                    access.InRegion[i]++;
                    return;
                }
            }
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

        public ulong Samples { get; private set; }

        // ---- Samples ----

        private void BeginSample()
        {
            inside = true;
            previous = 0;
            if(replay)
            {
                instructionCache.Empty();
                dataCache?.Empty();
            }
        }

        private void EndSample()
        {
            if(!inside)
            {
                return;
            }
            inside = false;
            var output = new BinaryWriter(samples);
            var head = samples.Position;
            ulong edges = 0, events = 0;
            output.Write(edges);
            output.Write(events);
            foreach(var slot in usedEdges)
            {
                if(edgeCounts[slot] != 0)
                {
                    Put(output, edgeKeys[slot] >> 32, edgeKeys[slot] & uint.MaxValue, edgeCounts[slot]);
                    edgeCounts[slot] = 0;
                    edges++;
                }
            }
            for(var i = 0; i < blocks; i++)
            {
                events += PutEvent(output, Event.FetchMissJump, (uint)i, starts[i], ref jumpMisses[i]);
                for(var g = 0; g < granules[i]; g++)
                {
                    events += PutEvent(output, Event.FetchMissNext, (uint)i, (uint)g, ref nextMisses[i][g]);
                }
            }
            foreach(var access in accesses)
            {
                events += access.Put(output, PutEvent);
            }
            samples.Position = head;
            output.Write(edges);
            output.Write(events);
            samples.Position = samples.Length;
            Samples++;
        }

        private static void Put(BinaryWriter output, ulong a, ulong b, ulong c)
        {
            output.Write(a);
            output.Write(b);
            output.Write(c);
        }

        private static ulong PutEvent(BinaryWriter output, Event kind, uint block, uint address, ref ulong count)
        {
            if(count == 0)
            {
                return 0;
            }
            output.Write((ulong)kind);
            Put(output, block, address, count);
            count = 0;
            return 1;
        }

        // ---- Blocks and edges ----

        private int Find(uint start, uint instructions)
        {
            var key = (ulong)instructions << 32 | start;
            var slot = Hash(key);
            while(blockSlots[slot] != 0)
            {
                if(blockKeys[slot] == key)
                {
                    return blockSlots[slot];
                }
                slot = (slot + 1) & (Slots - 1);
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
            if(replay && instructions != 0 && flash.Contains(start))
            {
                var granule = instructionCache.Granule;
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
                slot = Hash(key);
                while(edgeKeys[slot] != key && edgeKeys[slot] != 0)
                {
                    slot = (slot + 1) & (Slots - 1);
                }
                if(edgeKeys[slot] == 0)
                {
                    if(usedEdges.Count > Slots / 4 * 3)
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

        private static int Hash(ulong key)
        {
            return (int)((key * 0x9E3779B97F4A7C15UL) >> 46);
        }

        // ---- Instruction cache ----

        // Most blocks are in the cache, since nothing was brought in after they last ran: only their lines' age changes then.
        private void Fetch(int block, int before)
        {
            var cache = instructionCache;
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
            var cache = instructionCache;
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

        // ---- Accesses ----

        private Access FindAccess(uint pc)
        {
            var slot = Hash(pc);
            while(accessSlots[slot] != null)
            {
                if(accessSlots[slot].Address == pc)
                {
                    return accessSlots[slot];
                }
                slot = (slot + 1) & (Slots - 1);
            }
            if(accesses.Count > Slots / 4 * 3)
            {
                throw new InvalidOperationException("more than " + accesses.Count + " instructions that access memory");
            }
            accessSlots[slot] = new Access(pc, regions.Count);
            accesses.Add(accessSlots[slot]);
            return accessSlots[slot];
        }

        private const int Slots = 1 << 18;
        private const int MaxBlocks = Slots / 2;
        private const int MaxLines = 16;

        private readonly uint from, to;
        private readonly Func<uint, int, byte[]> code;
        private readonly MemoryStream samples = new MemoryStream();

        private readonly ulong[] blockKeys = new ulong[Slots];
        private readonly int[] blockSlots = new int[Slots];
        private readonly ulong[] edgeKeys = new ulong[Slots];
        private readonly ulong[] edgeCounts = new ulong[Slots];
        private readonly List<int> usedEdges = new List<int>();
        private readonly Access[] accessSlots = new Access[Slots];
        private readonly List<Access> accesses = new List<Access>();

        private readonly uint[] starts = new uint[MaxBlocks], ends = new uint[MaxBlocks];
        private readonly uint[] lasts = new uint[MaxBlocks], sizes = new uint[MaxBlocks];
        private readonly int[] granules = new int[MaxBlocks], hotEdges = new int[MaxBlocks];
        private readonly ulong[] jumpMisses = new ulong[MaxBlocks], fills = new ulong[MaxBlocks];
        private readonly ulong[][] nextMisses = new ulong[MaxBlocks][];
        private readonly uint[][] ways = new uint[MaxBlocks][];

        private readonly List<Region> regions = new List<Region>();
        private Region flash = new Region();
        private McusimCache instructionCache, dataCache;
        private bool replay, unified, inside;
        private int blocks, previous;

        private enum Event { Access, DataMiss, FetchMissNext, FetchMissJump, Region, Odd, Half, Flash, DataHit }

        private delegate ulong EventWriter(BinaryWriter output, Event kind, uint block, uint address, ref ulong count);

        // Addresses from `origin` up to, not including, `end`, written "origin:end" in hexadecimal.
        private sealed class Region
        {
            public Region(string text = "0:0")
            {
                var parts = text.Split(':');
                origin = uint.Parse(parts[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                size = uint.Parse(parts[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture) - origin;
            }

            public bool Contains(uint address)
            {
                return address - origin < size;
            }

            private readonly uint origin, size;
        }

        // One for each instruction that accesses memory. Odd: at addresses 1 or 3 after a multiple of 4; Half: at 2.
        private sealed class Access
        {
            public Access(uint address, int regions)
            {
                Address = address;
                InRegion = new ulong[regions];
            }

            public ulong Put(BinaryWriter output, EventWriter put)
            {
                var written = put(output, Event.Access, 0, Address, ref Accesses);
                written += put(output, Event.Flash, 0, Address, ref InFlash);
                written += put(output, Event.DataHit, 0, Address, ref DataHits);
                written += put(output, Event.Odd, 0, Address, ref Odd);
                written += put(output, Event.Half, 0, Address, ref Half);
                written += put(output, Event.DataMiss, 0, Address, ref DataMisses);
                for(var i = 0; i < InRegion.Length; i++)
                {
                    written += put(output, Event.Region, (uint)i, Address, ref InRegion[i]);
                }
                return written;
            }

            public readonly uint Address;
            public readonly ulong[] InRegion;
            public ulong Accesses, InFlash, DataHits, DataMisses, Odd, Half;
        }
    }
}
