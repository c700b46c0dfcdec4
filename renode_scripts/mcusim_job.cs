// What mcusim's engine adds to the mailbox (mcusim_mailbox.cs, included before): a job comes in as a file, and every outcome
// goes out as a file whose last line carries the job's nonce, so that nothing else is taken for a result.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;

using Antmicro.Renode.Core;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.CPU;
using Antmicro.Renode.UserInterface;
using Antmicro.Renode.Utilities;

using Monitor = Antmicro.Renode.UserInterface.Monitor;

namespace Antmicro.Renode.Peripherals.Miscellaneous
{
    public static class McusimWorker
    {
        // Takes one Monitor script after the other, each in a new emulation: the file "turn" in `folder` names the next. Ends
        // with the process that gives them. Beside it are "ready", once it waits, and "failed", when a line of one did. Where
        // there is a platform "first.repl", it is loaded as long as there is no script: a second one takes a tenth of the time.
        public static void ServeJobs(this Emulation emulation, string folder, int parent)
        {
            string turn = Path.Combine(folder, "turn"), failed = Path.Combine(folder, "failed");
            new Thread(() => EndWith(parent, folder)) { IsBackground = true }.Start();
            File.WriteAllText(Path.Combine(folder, "ready"), "");
            long collectedBytes = 0;
            var first = Path.Combine(folder, "first.repl");
            if(File.Exists(first) && !File.Exists(turn))
            {
                ExecuteAside(new[] { "mach create", "machine LoadPlatformDescription @" + first, "sysbus.cpu VectorTableOffset 0", "machine AddMailbox" });
            }
            while(true)
            {
                if(!File.Exists(turn))
                {
                    Thread.Sleep(PollMs);
                    continue;
                }
                var script = File.ReadAllText(turn);
                File.Delete(turn);
                EmulationManager.Instance.Clear();
                collectedBytes = Collect(collectedBytes);
                var trouble = ExecuteAside(File.ReadAllLines(script));
                if(trouble != null)
                {
                    Console.WriteLine(trouble);
                    Console.Out.Flush();
                    File.WriteAllText(failed, "");
                }
            }
        }

        // An emulation that was left is some MB of garbage, among much that stays: by itself nobody collects it for long.
        // -> what this process takes after it was done last.
        private static long Collect(long lastBytes)
        {
            if(ResidentBytes() < lastBytes + GarbageBytes)
            {
                return lastBytes;
            }
            GC.Collect();
            return ResidentBytes();
        }

        // Of this process. Mono's Environment.WorkingSet is 0.
        private static long ResidentBytes()
        {
            return long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1]) * Environment.SystemPageSize;
        }

        // In a thread of its own. Renode's bus keeps what it found last for each thread that asked: as long as that lives, so does
        // a machine that ran (3 MB, with all of its Python).
        private static string ExecuteAside(string[] script)
        {
            string trouble = null;
            var thread = new Thread(() =>
            {
                try
                {
                    trouble = Execute(script);
                }
                catch(Exception e)
                {
                    trouble = "Unhandled exception: " + e;
                }
            });
            thread.Start();
            thread.Join();
            return trouble;
        }

        // Line by line until one fails -> what is wrong with it, or null.
        private static string Execute(string[] script)
        {
            var monitor = ObjectCreator.Instance.GetSurrogate<Monitor>();
            foreach(var line in script)
            {
                var heard = new CommandInteractionEater();
                var done = monitor.Parse(line, heard);
                if(!done || heard.HasError)
                {
                    return "There was an error executing command '" + line + "'\n" + heard.GetError();
                }
            }
            return null;
        }

        // Never an orphan, whatever a job does meanwhile: nobody would read its results. Who was killed leaves folders: each
        // worker removes its own, and the last one what it lies in, with the jobs.
        private static void EndWith(int process, string folder)
        {
            while(Lives(process))
            {
                Thread.Sleep(ParentPollMs);
            }
            var all = new DirectoryInfo(folder).Parent;
            Remove(folder);
            try
            {
                if(!all.GetDirectories("worker-*").Any())
                {
                    Remove(all.FullName);
                }
            }
            catch(IOException)
            {
                // another one has removed it
            }
            Process.GetCurrentProcess().Kill();
        }

        // What still lies there in the end goes with the next run.
        private static void Remove(string folder)
        {
            for(var tries = 0; tries < MaxTries && Directory.Exists(folder); tries++)
            {
                try
                {
                    Directory.Delete(folder, true);
                }
                catch(Exception)
                {
                    Thread.Sleep(ParentPollMs);
                }
            }
        }

        // One that ended and that nobody has asked for its exit code still has a folder there.
        private static bool Lives(int process)
        {
            try
            {
                var state = File.ReadAllText("/proc/" + process + "/stat");
                return !"ZX".Contains(state[state.LastIndexOf(')') + 2]);
            }
            catch(IOException)
            {
                return false;
            }
        }

        private const int PollMs = 3;
        private const long GarbageBytes = 64 << 20;
        private const int ParentPollMs = 200;
        private const int MaxTries = 10;
    }

    public static class McusimJob
    {
        // `path`: lines of "key value".
        public static void Run(this McusimMailbox mailbox, string path)
        {
            mailbox.RunAndSave(path, () => { });
        }

        // `save` is called when all samples were answered, before that is told.
        public static void RunAndSave(this McusimMailbox mailbox, string path, Action save)
        {
            var job = File.ReadAllLines(path).Select(line => line.Split(new[] { ' ' }, 2)).ToDictionary(p => p[0], p => p[1]);
            var replay = new McusimReplay
            {
                Input = job["input"],
                Output = job["output"],
                Counts = job["counts"],
                InputBytes = (uint)Number(job["input_bytes"]),
                OutputBytes = (uint)Number(job["output_bytes"]),
                Cycles = job["cycles"] == "1",
                Mailbox = Number(job["mailbox"]),
                StallMs = (long)Number(job["stall_ms"]),
            };
            McusimGuard.CloseGaps(mailbox);
            mailbox.Execute(replay);
            if(replay.Outcome == "done")
            {
                save();
            }
            WriteResults(mailbox, replay, job);
        }

        private static void WriteResults(McusimMailbox mailbox, McusimReplay replay, Dictionary<string, string> job)
        {
            if(replay.Outcome != "done")
            {
                File.WriteAllBytes(job["fault"], Fault(mailbox, replay, Number(job["stack_start"]), Number(job["stack_end"])));
            }
            File.WriteAllLines(job["result"], new[]
            {
                "outcome " + (replay.FirstFault != null && Consequences.Contains(replay.Outcome) ? "fault" : replay.Outcome),
                "detail " + OneLine(replay.Detail),
                "samples " + replay.Samples,
                "pc " + mailbox.Cpu.PC.RawValue,
                "address " + replay.Address,
                "instructions " + replay.Instructions,
                "stack_bytes " + replay.StackBytes,
                "run_us " + replay.RunUs,
                "end " + job["nonce"],
            });
        }

        // What was on the stack comes after the record: all of it, when the stack pointer has left it.
        private static byte[] Fault(McusimMailbox mailbox, McusimReplay replay, ulong stackStart, ulong stackEnd)
        {
            if(replay.FaultRecord != null)
            {
                return replay.FaultRecord;
            }
            var bus = mailbox.Machine.SystemBus;
            var record = replay.FirstFault ?? McusimRegisters.Record(mailbox.Cpu, bus, replay.Samples);
            ulong stack = BitConverter.ToUInt32(record, StackPointerAt);
            var from = stack > stackStart && stack <= stackEnd ? stack : stackStart;
            return record.Concat(bus.ReadBytes(from, (int)(stackEnd - from))).ToArray();
        }

        private static string OneLine(string text)
        {
            return (text ?? "").Replace('\n', ' ').Replace('\r', ' ');
        }

        private static ulong Number(string text)
        {
            return ulong.Parse(text, CultureInfo.InvariantCulture);
        }

        // How a run ends after a fault that no handler told of.
        private static readonly string[] Consequences = { "loop", "access", "abort", "stall" };

        private const int StackPointerAt = 4 * 4; // in fault_record_t
    }

    // All addresses at which the chip has nothing. Renode reads 0 there and goes on.
    public class McusimGuard : IDoubleWordPeripheral, IWordPeripheral, IBytePeripheral
    {
        public static void CloseGaps(McusimMailbox mailbox)
        {
            ulong from = 0;
            var ranges = mailbox.Machine.SystemBus.GetRegisteredPeripherals().Select(one => one.RegistrationPoint.Range);
            foreach(var range in ranges.OrderBy(one => one.StartAddress).ToList())
            {
                Close(mailbox, from, range.StartAddress);
                from = Math.Max(from, range.EndAddress + 1);
            }
            Close(mailbox, from, AddressSpace);
        }

        public void Reset()
        {
        }

        public byte ReadByte(long offset)
        {
            return (byte)Stray("read", offset);
        }

        public ushort ReadWord(long offset)
        {
            return (ushort)Stray("read", offset);
        }

        public uint ReadDoubleWord(long offset)
        {
            return Stray("read", offset);
        }

        public void WriteByte(long offset, byte value)
        {
            Stray("wrote to", offset);
        }

        public void WriteWord(long offset, ushort value)
        {
            Stray("wrote to", offset);
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            Stray("wrote to", offset);
        }

        private static void Close(McusimMailbox mailbox, ulong from, ulong end)
        {
            if(from < end)
            {
                mailbox.Machine.SystemBus.Register(new McusimGuard(mailbox, from), new BusRangeRegistration(from, end - from));
            }
        }

        private McusimGuard(McusimMailbox mailbox, ulong origin)
        {
            this.mailbox = mailbox;
            this.origin = origin;
        }

        // What is thrown is the only exception that may leave an access: the core ends with it.
        private uint Stray(string what, long offset)
        {
            if(!mailbox.Running)
            {
                return 0; // somebody looks around in the Monitor
            }
            var address = origin + (ulong)offset;
            mailbox.Stop("access", what + " 0x" + address.ToString("x8") + ", where the chip has nothing", address);
            throw new CpuAbortException();
        }

        private readonly McusimMailbox mailbox;
        private readonly ulong origin;

        private const ulong AddressSpace = 1UL << 32;
    }
}
