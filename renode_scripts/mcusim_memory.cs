// What memory and caches have to do with the loads and stores of a firmware, and where in a cache its instructions are. The
// twin of mcusim/engines/qemu/qemu_plugin/replay.h, fetch.h and cache.h: it says where a read is found, not what that costs.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;

using Antmicro.Renode.Logging.Profiling;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    // Counts in the samples, instruction by instruction.
    public sealed class McusimMemory
    {
        // Options of the QEMU plug-in: icache, dcache, unified, flash, region. Without any there are no caches.
        public void Configure(string name, string value)
        {
            replay = true;
            switch(name)
            {
            case "icache":
                Instructions = new McusimCache(value);
                break;
            case "dcache":
                data = new McusimCache(value);
                break;
            case "unified":
                IsShared = true;
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

        public void BeginSample()
        {
            inside = true;
            if(replay)
            {
                Instructions.Empty();
                data?.Empty();
                sharedBuffer = uint.MaxValue;
            }
        }

        public void EndSample()
        {
            inside = false;
        }

        // What the core accesses meanwhile does not belong to the sample.
        public void Pause(bool pauses)
        {
            inside = !pauses;
        }

        // Writes what was counted, and begins to count anew -> events.
        public ulong Put(BinaryWriter output)
        {
            ulong events = 0;
            foreach(var access in accesses)
            {
                events += access.Put(output);
            }
            return events;
        }

        // Does an instruction begin there? Where none does, an access belongs to the one whose second halfword that is:
        // the emulator tells some (VLDR, VLDM and their kin) from there.
        public Func<uint, bool> Begins { get; set; } = address => true;

        // Called before data is looked for where instructions are: code up to the instruction at that address is there first.
        public Action<uint> Reaches { get; set; } = address => { };

        // Is data behind the cache of instructions, too? It has a buffer of its own.
        public bool IsShared { get; private set; }

        // Behind the cache of instructions?
        public bool IsSlow(uint address)
        {
            return replay && flash.Contains(address);
        }

        // The hook of the core. As in the profiler of QEMU, two words at once are two accesses, and unaligned are those whose
        // address costs time: loads of halfwords and words.
        public void OnAccess(ulong pc, MemoryOperation operation, ulong virtualAddress, ulong address, uint width, ulong value)
        {
            if(!inside || operation == MemoryOperation.InsnFetch)
            {
                return;
            }
            var loads = operation == MemoryOperation.MemoryRead || operation == MemoryOperation.MemoryIORead;
            Count((uint)pc, (uint)virtualAddress, loads ? width - 1 & 3 : 0);
            if(width == TwoWords)
            {
                Count((uint)pc, (uint)virtualAddress + 4, 0);
            }
        }

        public McusimCache Instructions { get; private set; }

        // The instruction at `pc` reads or writes `at`, of which these bits make it unaligned.
        private void Count(uint pc, uint at, uint bits)
        {
            var access = Find(pc);
            access.Accesses++;
            if(!replay)
            {
                return;
            }
            if((at & bits) != 0)
            {
                access.Odd += at & 1;
                access.Half += (at & 3) == 2 ? 1u : 0u;
            }
            if(flash.Contains(at))
            {
                access.InFlash++;
                var found = IsShared ? ReadShared(access.Address, at) : data.Read(at);
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

        private McusimCache.Found ReadShared(uint by, uint at)
        {
            if(at / Instructions.Granule == sharedBuffer)
            {
                return McusimCache.Found.Buffered;
            }
            sharedBuffer = at / Instructions.Granule;
            Reaches(by);
            return Instructions.Look(at) ? McusimCache.Found.Cached : McusimCache.Found.Missed;
        }

        private Access Find(uint pc)
        {
            var slot = McusimSlots.Of(pc);
            while(slots[slot] != null)
            {
                if(told[slot] == pc)
                {
                    return slots[slot];
                }
                slot = McusimSlots.After(slot);
            }
            var address = Begins(pc) ? pc : pc - 2;
            var access = address == pc ? new Access(pc, regions.Count) : Find(address);
            if(address == pc)
            {
                accesses.Add(access);
            }
            return Keep(pc, access);
        }

        private Access Keep(uint pc, Access access)
        {
            if(++kept > McusimSlots.Full)
            {
                throw new InvalidOperationException("more than " + McusimSlots.Full + " instructions that access memory");
            }
            var slot = McusimSlots.Of(pc);
            while(slots[slot] != null)
            {
                slot = McusimSlots.After(slot);
            }
            told[slot] = pc;
            return slots[slot] = access;
        }

        private readonly Access[] slots = new Access[McusimSlots.Count];
        private readonly uint[] told = new uint[McusimSlots.Count]; // where the emulator says that they are
        private readonly List<Access> accesses = new List<Access>();
        private readonly List<Region> regions = new List<Region>();
        private Region flash = new Region();
        private McusimCache data;
        private bool replay, inside;
        private int kept;
        private uint sharedBuffer;

        private const uint TwoWords = 8; // bytes

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

            public ulong Put(BinaryWriter output)
            {
                var written = McusimEvents.Put(output, McusimEvent.Access, 0, Address, ref Accesses);
                written += McusimEvents.Put(output, McusimEvent.Flash, 0, Address, ref InFlash);
                written += McusimEvents.Put(output, McusimEvent.DataHit, 0, Address, ref DataHits);
                written += McusimEvents.Put(output, McusimEvent.Odd, 0, Address, ref Odd);
                written += McusimEvents.Put(output, McusimEvent.Half, 0, Address, ref Half);
                written += McusimEvents.Put(output, McusimEvent.DataMiss, 0, Address, ref DataMisses);
                for(var i = 0; i < InRegion.Length; i++)
                {
                    written += McusimEvents.Put(output, McusimEvent.Region, (uint)i, Address, ref InRegion[i]);
                }
                return written;
            }

            public readonly uint Address;
            public readonly ulong[] InRegion;
            public ulong Accesses, InFlash, DataHits, DataMisses, Odd, Half;
        }
    }

    // The numbers of samples.bin.
    public enum McusimEvent { Access, DataMiss, FetchMissNext, FetchMissJump, Region, Odd, Half, Flash, DataHit }

    public static class McusimEvents
    {
        // -> 1, and `count` is 0 again; nothing is written of what did not happen.
        public static ulong Put(BinaryWriter output, McusimEvent kind, uint block, uint address, ref ulong count)
        {
            if(count == 0)
            {
                return 0;
            }
            output.Write((ulong)kind);
            output.Write((ulong)block);
            output.Write((ulong)address);
            output.Write(count);
            count = 0;
            return 1;
        }
    }

    // Tables of one size that open addressing fills.
    public static class McusimSlots
    {
        public static int Of(ulong key)
        {
            return (int)((key * 0x9E3779B97F4A7C15UL) >> (64 - Bits));
        }

        public static int After(int slot)
        {
            return (slot + 1) & (Count - 1);
        }

        public const int Count = 1 << Bits;
        public const int Full = Count / 4 * 3;

        private const int Bits = 18;
    }

    // One cache in front of slow memory, with the buffer that holds what was read last: sets:ways:line:granule:refresh.
    public sealed class McusimCache
    {
        public McusimCache(string text)
        {
            var numbers = Array.ConvertAll(text.Split(':'), part => uint.Parse(part, CultureInfo.InvariantCulture));
            sets = numbers[0];
            waysInSet = numbers[1];
            line = numbers[2];
            Granule = numbers[3];
            Refreshes = numbers[4] != 0;
            LineBits = Log2(line);
            granuleBits = Log2(Granule);
            tags = new uint[sets * waysInSet];
            valid = new uint[sets * waysInSet];
            stamps = new ulong[sets * waysInSet];
        }

        // Every sample begins like that, so that what it costs depends on no other.
        public void Empty()
        {
            Array.Clear(valid, 0, valid.Length);
            Array.Clear(stamps, 0, stamps.Length);
            Fills++;
            buffered = uint.MaxValue;
        }

        public Found Read(uint address)
        {
            if(address >> granuleBits == buffered)
            {
                return Found.Buffered;
            }
            Buffer(address);
            return Look(address) ? Found.Cached : Found.Missed;
        }

        public void Buffer(uint address)
        {
            buffered = address >> granuleBits;
        }

        public void Touch(uint way)
        {
            stamps[way] = ++now;
        }

        // Where a line is; uint.MaxValue when only the buffer has it.
        public uint WayOf(uint lineNumber)
        {
            var first = (lineNumber & (sets - 1)) * waysInSet;
            for(var way = first; way < first + waysInSet; way++)
            {
                if(tags[way] == lineNumber && valid[way] != 0)
                {
                    return way;
                }
            }
            return uint.MaxValue;
        }

        public uint Granule { get; }

        public int LineBits { get; }

        public bool Refreshes { get; }

        public uint Lines => sets * waysInSet;

        // Changes when anything was brought in. A new block has 0: not in the cache.
        public ulong Fills { get; private set; } = 1;

        // Past the buffer -> was it there?
        public bool Look(uint address)
        {
            uint lineNumber = address >> LineBits, bit = 1u << (int)((address & (line - 1)) >> granuleBits);
            uint first = (lineNumber & (sets - 1)) * waysInSet, end = first + waysInSet, oldest = first, way = recent;
            if(!(way >= first && way < end && tags[way] == lineNumber && valid[way] != 0)) // mostly the same line again
            {
                for(way = first; way < end && !(tags[way] == lineNumber && valid[way] != 0); way++)
                {
                    if(stamps[way] < stamps[oldest])
                    {
                        oldest = way;
                    }
                }
            }
            now++;
            if(way == end)
            {
                way = oldest;
                tags[way] = lineNumber;
                valid[way] = 0;
                stamps[way] = now;
            }
            var hit = (valid[way] & bit) != 0;
            Fills += hit ? 0u : 1u;
            valid[way] |= bit;
            recent = way;
            if(Refreshes)
            {
                stamps[way] = now;
            }
            return hit;
        }

        private static int Log2(uint value)
        {
            var bits = 0;
            while(1u << bits < value)
            {
                bits++;
            }
            return bits;
        }

        private readonly uint sets, waysInSet, line;
        private readonly int granuleBits;
        private readonly uint[] tags, valid;
        private readonly ulong[] stamps;
        private ulong now;
        private uint buffered = uint.MaxValue, recent;

        public enum Found { Buffered, Cached, Missed }
    }
}
