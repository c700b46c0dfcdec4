// What a cache in front of slow memory would have had: the twin of mcusim/engines/qemu_plugin/cache.h. It says where a read
// is found, not what that costs.
using System;
using System.Globalization;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
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

        private bool Look(uint address)
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
