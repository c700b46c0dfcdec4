// Any firmware, as it is: calls of one function are measured until there are enough of them or it ends. How far it is stands in
// progress.bin meanwhile (mcusim/engines/qemu/qemu_plugin/progress.h), and in the end what came of it in a file whose last line
// carries the order's nonce. C# 7 at most: Renode under Mono compiles it too.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;

using Antmicro.Renode.Core;
using Antmicro.Renode.Logging.Profiling;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.CPU;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    public static class McusimForeignRun
    {
        // `order`: a file of lines "key value".
        public static void ProfileFirmware(this IMachine machine, string order)
        {
            var lines = File.ReadAllLines(order).Select(line => line.Split(new[] { ' ' }, 2)).ToList();
            new McusimForeign(machine, lines).Run();
        }
    }

    public sealed class McusimForeign
    {
        public McusimForeign(IMachine machine, IList<string[]> lines)
        {
            order = lines.GroupBy(line => line[0]).ToDictionary(lined => lined.Key, lined => lined.First()[1]);
            bus = machine.SystemBus;
            cpu = bus.GetCPUs().OfType<TranslationCPU>().Single();
            var from = Number("from");
            calls = new McusimCalls(order["functions"], from);
            profile = new McusimProfile(from, Number("to"), (at, bytes) => bus.ReadBytes((ulong)at, bytes), calls) { Wanted = Number("calls") };
            profile.Registers = Register;
            foreach(var line in lines.Where(line => line[0].StartsWith(Replay)))
            {
                profile.Memory.Configure(line[0].Substring(Replay.Length), line[1]);
            }
        }

        // Until it is over, or nobody wants to wait any longer.
        public void Run()
        {
            cpu.Halted += OnHalted;
            cpu.AddHookAtInterruptBegin(OnInterrupt);
            new McusimListener(cpu, OnBlock, OnAccess, why => Stop("error", why)).Listen(RunUntilOver);
            profile.Save(order["folder"]);
            WriteResults();
        }

        private void RunUntilOver()
        {
            EmulationManager.Instance.CurrentEmulation.StartAll();
            while(!over.Wait(PollMs))
            {
                WriteProgress();
                if(File.Exists(order["leave"]))
                {
                    Stop("left", "");
                }
                else if(!Directory.Exists("/proc/" + order["parent"]))
                {
                    Stop("orphan", "the process that wanted the results is gone");
                }
                else if(cpu.IsHalted)
                {
                    Stop("halted", "the core did not start: its vector table holds no stack pointer and no address of code");
                }
            }
            EmulationManager.Instance.CurrentEmulation.PauseAll();
            profile.LeaveOff();
            WriteProgress();
        }

        // ---- Hooks: on the core's thread, where nothing may be thrown ----

        private void OnBlock(ulong address, uint instructions)
        {
            if(profile.IsOver)
            {
                return;
            }
            pc = (uint)address;
            pieceInstructions = instructions;
            profile.OnPiece(address, instructions, interruptedSp);
            interruptedSp = null;
            if(profile.IsOver)
            {
                Stop("done", "");
            }
        }

        private void OnAccess(ulong at, MemoryOperation operation, ulong virtualAddress, ulong address, uint width, ulong value)
        {
            if(operation == MemoryOperation.InsnFetch || interruptedSp.HasValue)
            {
                return; // the core itself saves registers
            }
            var place = accesses++ % Told;
            told[2 * place] = (uint)at;
            told[2 * place + 1] = (uint)virtualAddress;
            if(virtualAddress - FirstDevice < PastDevices - FirstDevice)
            {
                OnDevice((uint)at, (uint)virtualAddress);
            }
            profile.Memory.OnAccess(at, operation, virtualAddress, address, width, value);
        }

        private void OnDevice(uint at, uint address)
        {
            uint place = at / 2 % PollsWatched, times;
            var key = (ulong)at << 32 | address;
            polls[place] = polls[place].Key == key ? polls[place] : new KeyValuePair<ulong, uint>(key, 0);
            polls[place] = new KeyValuePair<ulong, uint>(key, times = polls[place].Value + 1);
            if(times >= IsPolled)
            {
                polledBy = at;
                polled = address;
            }
        }

        private void OnInterrupt(ulong index)
        {
            if(index == AnyException)
            {
                interruptedSp = interruptedSp ?? Register(StackPointer);
            }
            else if(index == Breakpoint && bus.ReadWord(Register(ProgramCounter)) == SemihostingCall)
            {
                OnSemihosting(Register(0));
            }
            else if(index != SupervisorCall && ++faults > MostFaults)
            {
                Stop("loop", "fault after fault, and no handler that ends them");
            }
            else if(index != SupervisorCall && faultAt == null)
            {
                fault = index;
                faultAt = Register(ProgramCounter);
            }
        }

        // What it prints is not heard; it may end, and ask what has the answer 0.
        private void OnSemihosting(uint operation)
        {
            if(operation == Exit || operation == ExitExtended)
            {
                Stop("done", "");
            }
            else if(operation == Read || (operation == Open && OpenedName() != Console))
            {
                Stop("files", operation == Open ? "opens the file '" + OpenedName() + "'" : "reads from a file");
            }
        }

        private string OpenedName()
        {
            var block = Register(1);
            uint name = bus.ReadDoubleWord(block), size = Math.Min(bus.ReadDoubleWord(block + 8), LongestName);
            return Encoding.ASCII.GetString(bus.ReadBytes((ulong)name, (int)size));
        }

        private void OnHalted(HaltArguments arguments)
        {
            if(arguments.Reason == HaltReason.Abort)
            {
                Stop("abort", "the core stopped: it executed from where there is no memory, or something that it does not know");
            }
        }

        // The first reason is the one that counts.
        private void Stop(string newOutcome, string newDetail)
        {
            lock(order)
            {
                if(outcome == null)
                {
                    outcome = newOutcome;
                    detail = newDetail;
                }
            }
            profile.IsOver = true;
            over.Set();
        }

        private uint Register(int number)
        {
            return (uint)cpu.GetRegister(number).RawValue;
        }

        // ---- What is told ----

        private void WriteProgress()
        {
            var frames = calls.Frames(FramesTold);
            var words = new List<uint> { pc, End(), accesses, (uint)frames.Length };
            words.AddRange(told);
            words.AddRange(frames);
            words.AddRange(new uint[FramesTold - frames.Length]);
            words.AddRange(new[] { RegistersAreKnown, polledBy, polled });
            var bytes = new[] { profile.Begun, profile.Measured }.SelectMany(BitConverter.GetBytes);
            string path = Path.Combine(order["folder"], "progress.bin"), aside = path + ".new";
            File.WriteAllBytes(aside, bytes.Concat(words.SelectMany(BitConverter.GetBytes)).ToArray());
            if(File.Exists(path))
            {
                File.Replace(aside, path, null); // somebody may read it right now
            }
            else
            {
                File.Move(aside, path);
            }
        }

        // Of the last piece, as long as it lies in memory.
        private uint End()
        {
            var at = pc;
            for(var i = 0u; i < pieceInstructions; i++)
            {
                at += bus.ReadWord(at) >> 11 >= 0x1D ? 4u : 2u;
            }
            return at;
        }

        private void WriteResults()
        {
            var status = StatusAddresses.Select(address => bus.ReadDoubleWord(address)).ToArray();
            status[0] |= McusimRegisters.StatusOf(fault);
            File.WriteAllLines(order["result"], new[]
            {
                "outcome " + outcome,
                "detail " + detail.Replace('\n', ' ').Replace('\r', ' '),
                "samples " + profile.Measured,
                "pc " + pc,
                "instructions " + cpu.ExecutedInstructions,
                "stack_bytes 0",
                "run_us 0",
                "status " + string.Join(" ", status),
                "fault_at " + (faultAt ?? 0),
                "nothing_read " + ((SystemBus)bus).UnexpectedReads,
                "nothing_written " + ((SystemBus)bus).UnexpectedWrites,
                "end " + order["nonce"],
            });
        }

        private uint Number(string key)
        {
            return uint.Parse(order[key], CultureInfo.InvariantCulture);
        }

        private readonly Dictionary<string, string> order;
        private readonly IBusController bus;
        private readonly TranslationCPU cpu;
        private readonly McusimCalls calls;
        private readonly McusimProfile profile;
        private readonly ManualResetEventSlim over = new ManualResetEventSlim();
        private readonly uint[] told = new uint[2 * Told]; // instruction and address of the last accesses, at any place of the ring
        private readonly KeyValuePair<ulong, uint>[] polls = new KeyValuePair<ulong, uint>[PollsWatched];
        private uint pc, pieceInstructions, accesses, polledBy, polled;
        private uint? interruptedSp, faultAt;
        private ulong fault, faults;
        private string outcome, detail;

        private static readonly ulong[] StatusAddresses = { 0xE000ED28, 0xE000ED2C, 0xE000ED34, 0xE000ED38 }; // CFSR HFSR MMFAR BFAR

        private const string Replay = "replay-", Console = ":tt";
        private const ulong SupervisorCall = 2, AnyException = 5, Breakpoint = 7;
        private const ulong MostFaults = 1000;
        private const int StackPointer = 13, ProgramCounter = 15;
        private const uint SemihostingCall = 0xBEAB, Open = 0x01, Read = 0x06, Exit = 0x18, ExitExtended = 0x20, LongestName = 100;
        private const ulong FirstDevice = 0x40000000, PastDevices = 0x60000000;
        private const uint Told = 256, PollsWatched = 64, IsPolled = 100, RegistersAreKnown = 1;
        private const int FramesTold = 64, PollMs = 100;
    }
}
