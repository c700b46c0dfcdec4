*** Settings ***
Documentation                 Figures of a model against limits, in plain Robot Framework, on any engine:
...
...                           robot --variable ENGINE:renode robot_tests/any_engine
...
...                           Variables OUT and SAMPLES say where it is built and how many test samples are run, HARDWARE names
...                           a map of real boards. Where nothing counts cycles: --exclude cycles
Library                       mcusim.testing.robot_library
Suite Setup                   Run Model  ${EXPERIMENT}  board=${BOARD}  engine=${ENGINE}  samples=${SAMPLES}  out=${OUT}
...                           hardware=${HARDWARE}

*** Variables ***
${EXPERIMENT}                 ${CURDIR}/../../examples/digits
${BOARD}                      nucleo_l452re_p
${ENGINE}                     qemu
${SAMPLES}                    all
${HARDWARE}                   ${None}
${OUT}                        ${OUTPUT_DIR}/digits

*** Test Cases ***
The Model Is Good Enough
    Accuracy Should Be At Least  0.95
    Accuracy Drop Should Be At Most  0.01

The Firmware Computes What The Model Does
    Mismatches Should Be At Most  0

The Firmware Fits
    Rom Should Be Below       16 KiB
    Ram Should Be Below       8 KiB
    Rom Should Be Below       8 KiB  data_type=int8

The Firmware Is Fast Enough
    [Tags]                    cycles
    Cycles Should Be Below    1.2 Mcycles
    Latency Should Be Below   25 ms
    Energy Should Be Below    0.1 uWh

Integers Are Faster Than Floats
    [Tags]                    cycles
    ${int8}=                  Get Figure  cycles.mean  data_type=int8
    Cycles Should Be Below    ${{ ${int8} * 2 }}  data_type=int16
    ${float32}=               Get Figure  cycles.mean  data_type=float32
    Should Be True            ${int8} < ${float32}

The Limits Of The Experiment Hold
    Budgets Should Be Kept
