// mcusim's mailbox in Renode: replays samples through a firmware of mcusim, at the speed of the core.
//
// The peripheral lies behind the stimulus ports of the ITM (0xE0000000), writes to which silicon ignores; the protocol is
// told in codegen/harness/mailbox.h. To use it without mcusim, on a machine made by one of the scripts beside this file:
//
//     include @renode_scripts/mcusim_mailbox.cs
//     machine AddMailbox
//     sysbus LoadELF @firmware.elf
//     sysbus.mailbox Replay "/data/input.bin" "/data/output.bin"
//
// input.bin holds samples as the firmware takes them, one after another; output.bin gets what it answers.
// One file, long as it is, for it has to be included alone. C# 7 at most: Renode under Mono compiles it too.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using System.Threading;

using Antmicro.Migrant;
using Antmicro.Renode.Core;
using Antmicro.Renode.Core.Structure;
using Antmicro.Renode.Exceptions;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.CPU;
using Antmicro.Renode.Utilities;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    public static class McusimMailboxExtensions
    {
        // In place of whatever the machine has where the ITM is, as sysbus.mailbox.
        public static void AddMailbox(this IMachine machine)
        {
            var bus = machine.SystemBus;
            var cpu = bus.GetCPUs().OfType<TranslationCPU>().Single();
            var before = bus.WhatPeripheralIsAt(McusimMailbox.Address) as IBusPeripheral;
            if(before != null)
            {
                ((IPeripheralContainer<IBusPeripheral, BusRangeRegistration>)bus).Unregister(before);
            }
            var mailbox = new McusimMailbox(machine, cpu);
            bus.Register(mailbox, new BusRangeRegistration(McusimMailbox.Address, (ulong)mailbox.Size));
            machine.SetLocalName(mailbox, "mailbox");
        }
    }

    public class McusimMailbox : IDoubleWordPeripheral, IBytePeripheral, IKnownSize
    {
        public McusimMailbox(IMachine machine, TranslationCPU cpu)
        {
            Machine = machine;
            Cpu = cpu;
            cpu.Halted += OnHalted;
            cpu.AddHookAtInterruptBegin(OnInterrupt);
        }

        public void Reset()
        {
            unheard = null;
            ended = false;
        }

        // A stimulus port says that it takes more.
        public byte ReadByte(long offset)
        {
            return 1;
        }

        public uint ReadDoubleWord(long offset)
        {
            return 1;
        }

        public void WriteByte(long offset, byte value)
        {
            WriteDoubleWord(offset, value);
        }

        // On the core's thread, in the middle of an instruction: nothing may be thrown from here.
        public void WriteDoubleWord(long offset, uint value)
        {
            var port = (Port)(offset / 4);
            if(!running)
            {
                unheard = port == Port.State || port == Port.Fault ? (int)port : unheard;
                return;
            }
            try
            {
                switch(port)
                {
                case Port.State:
                    OnState();
                    break;
                case Port.Fault:
                    OnFault();
                    break;
                case Port.Text:
                    OnText(value);
                    break;
                case Port.ModelBegins:
                    begun = Cpu.ExecutedInstructions;
                    break;
                case Port.ModelReturned:
                    counted = Cpu.ExecutedInstructions - begun - CallInstructions;
                    break;
                }
            }
            catch(Exception e)
            {
                Stop("error", e.Message);
            }
        }

        // For people and Robot suites: answers "samples=.. instructions=..", the latter of the model alone, or fails.
        public string Replay(string input, string output, int limitSeconds = 600)
        {
            var replay = new McusimReplay { Input = input, Output = output, LimitMs = limitSeconds * 1000L };
            Execute(replay);
            if(replay.Outcome != "done")
            {
                throw new RecoverableException("sample " + replay.Samples + ": " + replay.Outcome + ": " + replay.Detail);
            }
            return "samples=" + replay.Samples + " instructions=" + replay.ModelInstructions;
        }

        // The same, for people without anything to compare with: how many answers differ from those in a file. `layout` is
        // that of an answer, as Python's struct writes it ("<10f"): a float32 may be off by 1e-4 of the largest, for sums
        // are rounded in the order of who makes them. Every other byte has to be the same.
        public string Check(string input, string expected, string layout = "", int limitSeconds = 600)
        {
            var answers = TemporaryFilesManager.Instance.GetTemporaryFile();
            var told = Replay(input, answers, limitSeconds);
            byte[] got = File.ReadAllBytes(answers), want = File.ReadAllBytes(expected);
            if(got.Length != want.Length)
            {
                throw new RecoverableException(replay.Samples + " samples were answered, which is not what is expected of them");
            }
            var size = got.Length / (int)Math.Max(1, replay.Samples);
            var floats = Floats(layout);
            var others = Enumerable.Range(0, size).Where(i => !floats.Any(at => at <= i && i < at + 4)).ToArray();
            Func<int, IEnumerable<int>> places = n => floats.Select(at => n * size + at);
            var samples = Enumerable.Range(0, (int)replay.Samples).ToArray();
            var largest = samples.SelectMany(places).Select(i => Math.Abs((double)BitConverter.ToSingle(want, i)))
                .Where(number => number <= float.MaxValue).DefaultIfEmpty().Max();
            var wrong = samples.Count(n => others.Any(i => got[n * size + i] != want[n * size + i])
                || places(n).Any(i => !Near(BitConverter.ToSingle(got, i), BitConverter.ToSingle(want, i), 1e-4 * largest)));
            return told.Replace(" instructions", " mismatches=" + wrong + " instructions");
        }

        // Where they begin.
        private static List<int> Floats(string layout)
        {
            var found = new List<int>();
            var at = 0;
            foreach(Match part in Regex.Matches(layout, "([0-9]*)([a-zA-Z])"))
            {
                var kind = part.Groups[2].Value;
                var size = "xbB".Contains(kind) ? 1 : "hH".Contains(kind) ? 2 : "qQd".Contains(kind) ? 8 : 4;
                for(var left = part.Groups[1].Length == 0 ? 1 : int.Parse(part.Groups[1].Value); left > 0; left--, at += size)
                {
                    if(kind == "f")
                    {
                        found.Add(at);
                    }
                }
            }
            return found;
        }

        private static bool Near(float got, float want, double off)
        {
            bool finite = Math.Abs((double)got) <= float.MaxValue, wanted = Math.Abs((double)want) <= float.MaxValue;
            return finite == wanted && (!finite || Math.Abs((double)got - want) <= off);
        }

        // Runs the emulation until all samples are answered or something went wrong, and leaves it paused.
        public void Execute(McusimReplay newReplay)
        {
            replay = newReplay;
            box = null;
            interrupts = 0;
            finished = new ManualResetEventSlim();
            using(input = new BufferedStream(new FileStream(replay.Input, FileMode.Open, FileAccess.Read), BufferBytes))
            using(output = Create(replay.Output))
            using(counts = new BinaryWriter(replay.Counts == null ? Stream.Null : Create(replay.Counts)))
            {
                var watch = Stopwatch.StartNew();
                running = true;
                if(ended)
                {
                    Stop("error", "the firmware has had its last sample: machine Reset starts it again");
                }
                if(unheard.HasValue)  // it rang before anybody replayed, and waits
                {
                    WriteDoubleWord(4 * unheard.Value, 0);
                    unheard = null;
                }
                EmulationManager.Instance.CurrentEmulation.StartAll();
                Wait(watch);
                replay.RunUs = watch.ElapsedTicks * 1000000 / Stopwatch.Frequency;
                EmulationManager.Instance.CurrentEmulation.PauseAll();
                running = false;
            }
        }

        // Ends the replay, from any thread. The first reason is the one that counts.
        public void Stop(string outcome, string detail, ulong address = 0)
        {
            if(!running)
            {
                return;
            }
            lock(replay)
            {
                if(running && replay.Outcome == null)
                {
                    replay.Outcome = outcome;
                    replay.Detail = detail;
                    replay.Address = address;
                    replay.Instructions = Cpu.ExecutedInstructions;
                    finished.Set();
                }
            }
        }

        public bool Running => running;

        public IMachine Machine { get; }

        public TranslationCPU Cpu { get; }

        public long Size => 0x1000;

        public const ulong Address = 0xE0000000;

        private void Wait(Stopwatch watch)
        {
            long progressAt = 0;
            ulong progress = 0;
            while(!finished.Wait(PollMs))
            {
                Flush();
                var now = watch.ElapsedMilliseconds;
                if(replay.Samples != progress)
                {
                    progress = replay.Samples;
                    progressAt = now;
                }
                if(Cpu.IsHalted)
                {
                    Stop("halted", "the core did not start: its vector table holds no stack pointer and no address of code");
                }
                else if(replay.StallMs != 0 && now - progressAt > replay.StallMs)
                {
                    Stop("stall", "no answer");
                }
                else if(replay.LimitMs != 0 && now > replay.LimitMs)
                {
                    Stop("limit", "not done within " + replay.LimitMs / 1000 + " s");
                }
            }
        }

        // Whoever watches sees how far it is, and whoever ends this process has all that is finished.
        private void Flush()
        {
            lock(output)
            {
                output.Flush();
                counts.Flush();
            }
        }

        private void OnHalted(HaltArguments arguments)
        {
            if(arguments.Reason == HaltReason.Abort)
            {
                Stop("abort", "the core stopped: it executed from where there is no memory, or something that it does not know");
            }
        }

        // ---- Doorbells ----

        private void OnState()
        {
            box = box ?? FindBox();
            switch(box[McusimBox.Field.State])
            {
            case McusimBox.SampleWanted:
                if(box[McusimBox.Field.Samples] > replay.Samples)
                {
                    TakeOutput();
                }
                box[McusimBox.Field.State] = LayInput() ? McusimBox.SampleThere : McusimBox.NoMoreSamples;
                break;
            case McusimBox.Done:
                replay.StackBytes = box[McusimBox.Field.StackBytes];
                ended = true;
                Stop("done", "");
                break;
            default:
                Stop("error", "the mailbox has state " + box[McusimBox.Field.State]);
                break;
            }
        }

        private void TakeOutput()
        {
            box.TakeOutput(outputBytes);
            lock(output)
            {
                output.Write(outputBytes, 0, outputBytes.Length);
                counts.Write(counted);
                counts.Write((ulong)box[McusimBox.Field.Cycles]);
            }
            replay.ModelInstructions += counted;
            replay.Samples++;
        }

        private bool LayInput()
        {
            var have = 0;
            for(int more; have < inputBytes.Length && (more = input.Read(inputBytes, have, inputBytes.Length - have)) > 0;)
            {
                have += more;
            }
            if(have != 0 && have != inputBytes.Length)
            {
                throw new InvalidDataException("the input ends in the middle of a sample of " + inputBytes.Length + " bytes");
            }
            if(have != 0)
            {
                box.LayInput(inputBytes);
            }
            return have != 0;
        }

        private void OnFault()
        {
            box = box ?? FindBox();
            var record = box.Bytes(McusimBox.Field.Fault, McusimBox.Field.FaultBytes);
            var stack = box.Bytes(McusimBox.Field.Stack, McusimBox.Field.StackLeft);
            replay.FaultRecord = new byte[record.Length + stack.Length];
            record.CopyTo(replay.FaultRecord, 0);
            stack.CopyTo(replay.FaultRecord, record.Length);
            Stop("fault", "the firmware took an exception");
        }

        private void OnText(uint characters)
        {
            for(; characters != 0; characters >>= 8)
            {
                var character = (char)(characters & 0xFF);
                if(character == '\n' || text.Length >= MaxLine)
                {
                    this.Log(LogLevel.Info, "{0}", text);
                    text = "";
                }
                else if(character >= ' ')
                {
                    text += character;
                }
            }
        }

        // What the core holds at the first fault is kept: a handler that cannot run (no stack is left) makes more of them, for
        // ever, because the core never gets beyond the instruction that caused one.
        private void OnInterrupt(ulong index)
        {
            if(!running || index == AnyException)
            {
                return;
            }
            replay.FirstFault = replay.FirstFault ?? McusimRegisters.Record(Cpu, Machine.SystemBus, replay.Samples, index);
            if(++interrupts > MaxInterrupts)
            {
                Stop("loop", "fault after fault, and no handler that ends them");
            }
        }

        private McusimBox FindBox()
        {
            var address = replay.Mailbox != 0 ? replay.Mailbox : Machine.SystemBus.GetSymbolAddress("mcusim_mailbox");
            var found = new McusimBox(Machine.SystemBus, replay, address);
            inputBytes = new byte[found[McusimBox.Field.InputBytes]];
            outputBytes = new byte[found[McusimBox.Field.OutputBytes]];
            if(!replay.Cycles)
            {
                found[McusimBox.Field.CycleCounter] = (uint)address; // any word that does not change, and takes no time to read
            }
            return found;
        }

        private static Stream Create(string path)
        {
            return new BufferedStream(new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read), BufferBytes);
        }

        // A replay belongs to the process: it is not saved with the emulation.
        [Transient]
        private ManualResetEventSlim finished;
        [Transient]
        private volatile bool running;
        private int? unheard;
        private bool ended;
        [Transient]
        private McusimReplay replay;
        [Transient]
        private McusimBox box;
        [Transient]
        private byte[] inputBytes, outputBytes;
        [Transient]
        private Stream input, output;
        [Transient]
        private BinaryWriter counts;
        private ulong begun, counted, interrupts;
        private string text = "";

        private const ulong CallInstructions = 3; // of mcusim_infer (infer.c), from the one that begins a block to the call
        private const ulong AnyException = 5;     // the core enters a handler; every other index is a cause
        private const ulong MaxInterrupts = 1000;
        private const int MaxLine = 1000;
        private const int BufferBytes = 1 << 16;
        private const int PollMs = 100;

        private enum Port { State, Fault, Text, ModelBegins, ModelReturned }
    }

    // What to do, then what came out. Sizes of 0 are not checked, limits of 0 are none.
    public class McusimReplay
    {
        public string Input, Output; // files: samples one after another
        public string Counts;        // file: for each sample { instructions of the model, cycle counter around it } (two uint64)
        public bool Cycles;          // the firmware reads DWT_CYCCNT, which takes longer than a small model
        public uint InputBytes, OutputBytes;
        public ulong Mailbox;        // address; 0: that of the symbol mcusim_mailbox
        public long StallMs, LimitMs;

        public string Outcome, Detail;
        public long RunUs;           // of the host, from the start of the emulation to the last answer
        public ulong Samples, Instructions, ModelInstructions, StackBytes, Address;
        public byte[] FaultRecord;   // fault_record_t of fault.h, then what was on the stack, as the firmware told it
        public byte[] FirstFault;    // fault_record_t of the first fault, as the core had it
    }

    // The struct of mailbox.h. It and the samples are reached where the host keeps the core's RAM: the bus would look for
    // translated code at each write, which takes longer than a small model does. (RAM holds no code of ours: the MPU sees to it.)
    public class McusimBox
    {
        public McusimBox(IBusController bus, McusimReplay replay, ulong address)
        {
            this.bus = bus;
            box = Find("mailbox", address, 4 * (uint)Field.End);
            if(this[Field.Magic] != Magic || this[Field.Version] < 1 || this[Field.Bytes] < 4 * (uint)Field.End)
            {
                throw new InvalidDataException("there is no mailbox at 0x" + address.ToString("x8"));
            }
            Check("input", this[Field.InputBytes], replay.InputBytes);
            Check("output", this[Field.OutputBytes], replay.OutputBytes);
            input = Find("input", this[Field.Input], this[Field.InputBytes]);
            output = Find("output", this[Field.Output], this[Field.OutputBytes]);
        }

        public void LayInput(byte[] sample)
        {
            Marshal.Copy(sample, 0, input, sample.Length);
        }

        public void TakeOutput(byte[] sample)
        {
            Marshal.Copy(output, sample, 0, sample.Length);
        }

        // What lies where one field points to, as many bytes as another says.
        public byte[] Bytes(Field where, Field size)
        {
            return bus.ReadBytes((ulong)this[where], (int)Math.Min(this[size], MaxBytes));
        }

        public uint this[Field field]
        {
            get { return (uint)Marshal.ReadInt32(box, 4 * (int)field); }
            set { Marshal.WriteInt32(box, 4 * (int)field, (int)value); }
        }

        private static void Check(string what, uint has, uint wanted)
        {
            if(has == 0 || (wanted != 0 && wanted != has))
            {
                throw new InvalidDataException("one " + what + " of this firmware has " + has + " bytes, not " + wanted);
            }
        }

        private IntPtr Find(string what, ulong address, uint bytes)
        {
            var found = bus.FindMemory(address);
            if(found != null)
            {
                var point = found.RegistrationPoint;
                var offset = (long)(address - point.Range.StartAddress + point.Offset);
                var inSegment = offset % found.Peripheral.SegmentSize;
                if(address + bytes - 1 <= point.Range.EndAddress && inSegment + bytes <= found.Peripheral.SegmentSize)
                {
                    var segment = found.Peripheral.GetSegment((int)(offset / found.Peripheral.SegmentSize));
                    return new IntPtr(segment.ToInt64() + inSegment);
                }
            }
            throw new InvalidDataException("the " + what + " at 0x" + address.ToString("x8") + " does not lie in one memory");
        }

        public const uint SampleWanted = 1, SampleThere = 2, NoMoreSamples = 3, Done = 4;

        private readonly IBusController bus;
        private readonly IntPtr box, input, output;

        private const uint Magic = 0x4D495355;
        private const uint MaxBytes = 1 << 20;

        public enum Field
        {
            Magic, Version, Bytes, State, Input, InputBytes, Output, OutputBytes, Samples, Cycles, CycleCounter, StackBytes, Fault,
            FaultBytes, Stack, StackLeft, End
        }
    }

    // What the core holds, in the form of fault_record_t, for faults of which no handler of the firmware tells.
    public static class McusimRegisters
    {
        // `cause`: index of the core's exception, which it has not told its status register yet; 0 for none.
        public static byte[] Record(TranslationCPU cpu, IBusController bus, ulong samples, ulong cause = 0)
        {
            var register = Enumerable.Range(0, 16).Select(i => (uint)cpu.GetRegister(i).RawValue).ToArray();
            var status = StatusAddresses.Select(address => bus.ReadDoubleWord(address)).ToArray();
            status[0] |= StatusOf(cause);
            var words = new List<uint> { Magic, 0, (uint)samples, 1, register[13], 0 };
            words.AddRange(register.Skip(4).Take(8));
            words.AddRange(register.Take(4));
            words.AddRange(new[] { register[12], register[14], register[15], (uint)cpu.GetRegister(StatusRegister).RawValue });
            words.AddRange(status);
            return words.SelectMany(BitConverter.GetBytes).ToArray();
        }

        // Bits of CFSR (Armv7-M ARM, B3.2.15).
        public static uint StatusOf(ulong cause)
        {
            switch(cause)
            {
            case 1:
                return 1 << 16; // UNDEFINSTR
            case 3:
                return 1 << 0; // IACCVIOL
            case 4:
                return 1 << 1 | 1 << 7; // DACCVIOL, MMARVALID
            case 17:
                return 1 << 19; // NOCP
            case 18:
                return 1 << 17; // INVSTATE
            default:
                return 0;
            }
        }

        private static readonly ulong[] StatusAddresses = { 0xE000ED28, 0xE000ED2C, 0xE000ED34, 0xE000ED38 }; // CFSR HFSR MMFAR BFAR

        private const int StatusRegister = 25; // xPSR
        private const uint Magic = 0x544C4146;
    }
}
