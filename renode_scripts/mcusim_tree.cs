// The tree of calls that all is counted in. The twin of mcusim/engines/qemu/qemu_plugin/tree.h. C# 7 at most: Renode under Mono
// compiles it too.
//
// tree.bin: { nodes, tallies, calls that never returned, calls that were left by a jump } (uint64), nodes of { parent, function,
// calls }, tallies of { node, from, to, count }
using System;
using System.Collections.Generic;
using System.IO;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
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
}
