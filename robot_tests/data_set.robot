*** Settings ***
Documentation                 The whole test set through the mailbox of the board's own image: every answer, the accuracy, and the count.
Resource                      mcusim.resource
Suite Teardown                Run Keywords  Remove Exports  AND  Teardown
Test Template                 Whole Data Set Should Be Answered

*** Test Cases ***            BOARD             DATA TYPE
Nucleo, int8                  nucleo_l452re_p   int8
Nucleo, int16                 nucleo_l452re_p   int16
Nucleo, float32               nucleo_l452re_p   float32
SparkFun Edge, int8           sparkfun_edge     int8
SparkFun Edge, int16          sparkfun_edge     int16
SparkFun Edge, float32        sparkfun_edge     float32

*** Keywords ***
Whole Data Set Should Be Answered
    [Arguments]               ${board}  ${data_type}
    ${case}=                  Export  ${board}  ${data_type}
    Create Board              ${case}  firmware.elf
    Add Mailbox               ${case}
    ${told}=                  Replay  ${case}  ${case.folder}/output.bin
    Should Start With         ${told.strip()}  samples=${case.samples} instructions=
    ${mismatches}=            Mismatches Of  ${case}  ${case.folder}/output.bin
    Should Be Equal As Integers  ${mismatches}  0
    ${accuracy}=              Accuracy Of  ${case}  ${case.folder}/output.bin
    Should Be Equal As Numbers  ${accuracy}  ${case.accuracy}  precision=9
