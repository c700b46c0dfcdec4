// Code through the cache: which granules of each block it would not have had. The twin of mcusim/engines/qemu/qemu_plugin/fetch.h.
//
// A block goes through a cache of its own when it begins. In one that data shares it comes as it is executed, up to each access: what
// makes what leave then does not depend on where an emulator cut the code into blocks.
// C# 7 at most: Renode under Mono compiles it too.
using System;
using System.Collections.Generic;
using System.IO;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    public sealed class McusimFetch
    {
        public McusimFetch(McusimMemory memory)
        {
            this.memory = memory;
            memory.Reaches = Reach;
        }

        public void BeginSample()
        {
            coming.Clear();
            next = 0;
        }

        // Block `number` is known from now on: they come in order, from 0.
        public void Add(uint start, uint end, bool isCode)
        {
            var fetched = new Fetched { Start = start, End = end };
            if(isCode && memory.IsSlow(start))
            {
                fetched.NextMisses = new ulong[(int)((end - 1) / memory.Instructions.Granule - start / memory.Instructions.Granule) + 1];
                fetched.Ways = new uint[MaxLines];
            }
            blocks.Add(fetched);
        }

        // `jumped`: not from the block before it in memory.
        public void Begin(int number, bool jumped)
        {
            var block = blocks[number];
            if(block.NextMisses == null)
            {
                return;
            }
            if(memory.IsShared)
            {
                coming.Enqueue(block);
                block.Jumped = jumped;
            }
            else
            {
                Fetch(block, jumped);
            }
        }

        // What runs was executed up to the instruction that holds this address, and does not go on: something else begins.
        public void Leave(uint address = uint.MaxValue)
        {
            Reach(address);
            BeginSample();
        }

        // Writes what was counted, and begins to count anew -> events.
        public ulong Put(BinaryWriter output)
        {
            ulong events = 0;
            for(var i = 0; i < blocks.Count; i++)
            {
                var block = blocks[i];
                events += McusimEvents.Put(output, McusimEvent.FetchMissJump, (uint)i, block.Start, ref block.JumpMisses);
                for(var g = 0; block.NextMisses != null && g < block.NextMisses.Length; g++)
                {
                    events += McusimEvents.Put(output, McusimEvent.FetchMissNext, (uint)i, (uint)g, ref block.NextMisses[g]);
                }
            }
            return events;
        }

        // Most blocks are in the cache, since nothing was brought in after they last ran: only their lines' age changes then.
        private void Fetch(Fetched block, bool jumped)
        {
            var cache = memory.Instructions;
            if(block.Fills != cache.Fills)
            {
                FetchSlowly(block, jumped);
                latest = block;
                return;
            }
            if(block != latest && cache.Refreshes)
            {
                var lines = ((block.End - 1) >> cache.LineBits) - (block.Start >> cache.LineBits) + 1;
                for(var i = 0; i < lines; i++)
                {
                    cache.Touch(block.Ways[i]);
                }
            }
            latest = block;
            cache.Buffer(block.End - 1);
        }

        private void FetchSlowly(Fetched block, bool jumped)
        {
            var cache = memory.Instructions;
            uint line = uint.MaxValue;
            var lines = 0;
            var known = true;
            for(var address = block.Start; address < block.End; address = Behind(address))
            {
                Read(block, address, jumped);
                if(address >> cache.LineBits != line)
                {
                    line = address >> cache.LineBits;
                    var way = cache.WayOf(line);
                    known &= lines < MaxLines && lines < cache.Lines && way != uint.MaxValue;
                    if(known)
                    {
                        block.Ways[lines] = way;
                    }
                    lines++;
                }
            }
            block.Fills = known ? cache.Fills : 0;
        }

        // Fetches what comes up to the granule that holds this address.
        private void Reach(uint address)
        {
            var cache = memory.Instructions;
            while(coming.Count != 0)
            {
                var block = coming.Peek();
                if(next == 0 && address >= block.End && block.Fills == cache.Fills && !cache.Refreshes) // it is there, wholly
                {
                    cache.Buffer(block.End - 1);
                    coming.Dequeue();
                    continue;
                }
                if(next == 0)
                {
                    next = block.Start;
                    fillsBefore = cache.Fills;
                }
                for(; next < block.End && next <= address; next = Behind(next))
                {
                    Read(block, next, block.Jumped);
                }
                if(next < block.End)
                {
                    return;
                }
                block.Fills = cache.Fills == fillsBefore ? cache.Fills : 0;
                coming.Dequeue();
                next = 0;
            }
        }

        private void Read(Fetched block, uint address, bool jumped)
        {
            if(memory.Instructions.Read(address) == McusimCache.Found.Missed)
            {
                var granule = memory.Instructions.Granule;
                if(address == block.Start && jumped)
                {
                    block.JumpMisses++;
                }
                else
                {
                    block.NextMisses[address / granule - block.Start / granule]++;
                }
            }
        }

        // Where the granule behind the one at this address begins.
        private uint Behind(uint address)
        {
            return (address | (memory.Instructions.Granule - 1)) + 1;
        }

        private readonly McusimMemory memory;
        private readonly List<Fetched> blocks = new List<Fetched>();
        private readonly Queue<Fetched> coming = new Queue<Fetched>(); // in a line, the first one up to `next`; 0: it did not begin
        private Fetched latest;
        private uint next;
        private ulong fillsBefore;

        private const int MaxLines = 16;

        // A block. Fills: of the cache when all of it was there; while that is the same, it still is. NextMisses: null without a cache.
        private sealed class Fetched
        {
            public uint Start, End;
            public bool Jumped;
            public ulong Fills, JumpMisses;
            public ulong[] NextMisses;
            public uint[] Ways;
        }
    }
}
