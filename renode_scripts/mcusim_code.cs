// Thumb code: how a piece of it is left (the twin of mcusim/engines/qemu/qemu_plugin/leaving.h), and where QEMU would end a block.
// C# 7 at most: Renode under Mono compiles it too.
using System;
using System.Collections.Generic;
using System.Linq;

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

    // Thumb code, as far as that tells where QEMU ends a block: at the end of a page, and behind what may jump or change
    // how code is to be read. Encodings of the Armv7-M Architecture Reference Manual, A5 and A7.
    public sealed class McusimCode
    {
        // `read(address, bytes)` gives what memory holds.
        public McusimCode(Func<uint, int, byte[]> read)
        {
            this.read = read;
        }

        // Of the block that begins there.
        public uint Instructions(uint start)
        {
            uint at = start, count = 0;
            bool ends;
            do
            {
                var first = Halfword(at);
                var wide = IsWide(first);
                if(count != 0 && wide && at % Page == Page - 2)
                {
                    break; // it would cross the end
                }
                begins.Add(at);
                ends = wide ? EndsWide(first, Halfword(at + 2)) : EndsNarrow(first);
                at += wide ? 4u : 2u;
                count++;
            }
            while(!ends && at / Page == start / Page);
            return count;
        }

        // Bytes of so many instructions.
        public uint Size(uint start, uint instructions)
        {
            var at = start;
            for(var i = 0; i < instructions; i++)
            {
                at += IsWide(Halfword(at)) ? 4u : 2u;
            }
            return at - start;
        }

        public byte[] Bytes(uint start, uint size)
        {
            return Enumerable.Range(0, (int)size / 2).SelectMany(i => BitConverter.GetBytes(Halfword(start + 2 * (uint)i))).ToArray();
        }

        public McusimPiece Piece(uint start, uint instructions, int function)
        {
            var last = start + Size(start, instructions - 1);
            var first = Halfword(last);
            var wide = IsWide(first);
            var end = last + (wide ? 4u : 2u);
            return new McusimPiece(start, end, instructions, last, first, wide ? Halfword(last + 2) : (ushort)0, function);
        }

        // Is it the first address of an instruction that was seen?
        public bool Begins(uint address)
        {
            return begins.Contains(address);
        }

        private static bool IsWide(ushort first)
        {
            return first >> 11 >= 0x1D;
        }

        private static bool EndsNarrow(ushort first)
        {
            return (first & 0xF000) == 0xD000 // B<c>, UDF, SVC
                || (first & 0xF800) == 0xE000 // B
                || (first & 0xF500) == 0xB100 // CBZ, CBNZ
                || (first & 0xFF00) == 0x4700 // BX, BLX
                || (first & 0xFF00) == 0xBD00 // POP to PC
                || (first & 0xFD87) == 0x4487 // ADD, MOV to PC
                || (first & 0xFFE8) == 0xB660 // CPS
                || (first & 0xFF00) == 0xBE00 // BKPT
                || first == 0xBF10 || first == 0xBF20 || first == 0xBF30; // YIELD, WFE, WFI
        }

        private static bool EndsWide(ushort first, ushort second)
        {
            if((first & 0xF800) == 0xF000 && (second & 0x8000) != 0)
            {
                return (second & 0x5000) != 0 // B, BL
                    || (first & 0x0380) != 0x0380 // B<c>
                    || (first & 0xFFE0) == 0xF380 // MSR
                    || (first == 0xF3AF && (second & 0xFF) >= 1 && (second & 0xFF) <= 3) // YIELD, WFE, WFI
                    || (first == 0xF3BF && (second & 0x00F0) == 0x0060); // ISB
            }
            return ((first & 0xFE50) == 0xE810 && (second & 0x8000) != 0) // LDM to PC
                || ((first & 0xFFF0) == 0xE8D0 && (second & 0xFFE0) == 0xF000) // TBB, TBH
                || ((first & 0xFF70) == 0xF850 && second >> 12 == 15) // LDR to PC
                || (first == 0xEEE1 && (second & 0x0F10) == 0x0A10); // VMSR
        }

        private ushort Halfword(uint address)
        {
            byte[] page;
            if(!pages.TryGetValue(address / Page, out page))
            {
                pages[address / Page] = page = read(address / Page * Page, Page);
            }
            return BitConverter.ToUInt16(page, (int)(address % Page));
        }

        private readonly Func<uint, int, byte[]> read;
        private readonly Dictionary<uint, byte[]> pages = new Dictionary<uint, byte[]>();
        private readonly HashSet<uint> begins = new HashSet<uint>();

        private const int Page = 1024; // of the core, in both emulators
    }
}
