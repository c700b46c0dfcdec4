// Tells of every block that a core begins and of every access, as the core's own hooks do. Those translate each address and look
// for what that threw, and make an object for each block: two thirds of the time of a profile. So the core itself calls us,
// where this Renode has what that takes under the same names; else its hooks do. C# 7 at most: Renode under Mono compiles it too.
using System;
using System.Reflection;
using System.Runtime.InteropServices;

using Antmicro.Renode.Logging.Profiling;
using Antmicro.Renode.Peripherals.CPU;
using Antmicro.Renode.Utilities;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    public sealed class McusimListener
    {
        // `onAccess` is told the address of the program, as that and as the physical one. On the core's thread nothing may be
        // thrown: `failed` hears of it.
        public McusimListener(TranslationCPU cpu, Action<ulong, uint> onBlock, MemoryAccessHook onAccess, Action<string> failed)
        {
            this.cpu = cpu;
            this.onBlock = onBlock;
            this.onAccess = onAccess;
            this.failed = failed;
        }

        // Listens until `meanwhile` has returned. The core does not run before and after it.
        public void Listen(Action meanwhile)
        {
            BlockBegins begins = HearBlock;
            Accesses accesses = HearAccess;
            cpu.SetHookAtBlockBegin((Action<ulong, uint>)((pc, instructions) => HearBlock(pc, instructions)));
            cpu.SetHookAtMemoryAccess((pc, operation, at, address, width, value) => HearAccess(pc, (uint)operation, at, width, value));
            Attach("FuncUInt32UInt64UInt32__OnBlockBegin", begins);
            Attach("ActionUInt64UInt32UInt64UInt32UInt64__OnMemoryAccess", accesses);
            meanwhile();
            cpu.SetHookAtBlockBegin(null); // under Mono a core outlives its machine, and would keep all of this
            cpu.SetHookAtMemoryAccess(null);
            GC.KeepAlive(begins);
            GC.KeepAlive(accesses);
        }

        // -> may it run?
        private uint HearBlock(ulong pc, uint instructions)
        {
            try
            {
                onBlock(pc, instructions);
            }
            catch(Exception e)
            {
                failed(e.Message);
            }
            return cpu.IsHalted || cpu.IsPaused ? 0 : 1u;
        }

        private void HearAccess(ulong pc, uint operation, ulong at, uint width, ulong value)
        {
            try
            {
                onAccess(pc, (MemoryOperation)operation, at, at, width, value);
            }
            catch(Exception e)
            {
                failed(e.Message);
            }
        }

        private void Attach(string name, Delegate heard)
        {
            var binder = typeof(TranslationCPU).GetField("binder", Hidden)?.GetValue(cpu);
            var library = binder?.GetType().GetField("libraryAddress", Hidden)?.GetValue(binder) as IntPtr?;
            var attach = library.HasValue ? Find(library.Value, "renode_external_attach__" + name) : IntPtr.Zero;
            if(attach != IntPtr.Zero)
            {
                Marshal.GetDelegateForFunctionPointer<Attaches>(attach)(Marshal.GetFunctionPointerForDelegate(heard));
            }
        }

        private static IntPtr Find(IntPtr library, string name)
        {
            try
            {
                return SharedLibraries.GetSymbolAddress(library, name);
            }
            catch(Exception)
            {
                return IntPtr.Zero;
            }
        }

        private readonly TranslationCPU cpu;
        private readonly Action<ulong, uint> onBlock;
        private readonly MemoryAccessHook onAccess;
        private readonly Action<string> failed;

        private const BindingFlags Hidden = BindingFlags.Instance | BindingFlags.NonPublic;

        private delegate void Attaches(IntPtr heard);

        private delegate uint BlockBegins(ulong pc, uint instructions);

        private delegate void Accesses(ulong pc, uint operation, ulong at, uint width, ulong value);
    }
}
