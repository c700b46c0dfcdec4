*** Settings ***
Documentation                 A fault of the firmware ends the run and is told, whoever listens.
Resource                      mcusim.resource
Suite Teardown                Run Keywords  Remove Exports  AND  Teardown

*** Test Cases ***
A Fault On The Nucleo Ends The Replay
    Fault Should End Replay   nucleo_l452re_p

A Fault On The SparkFun Edge Ends The Replay
    Fault Should End Replay   sparkfun_edge

A Fault On The Nucleo Is Told On Its Console
    Fault Should Be Told On Console  nucleo_l452re_p

A Fault On The SparkFun Edge Is Told On Its Console
    Fault Should Be Told On Console  sparkfun_edge

*** Keywords ***
Fault Should End Replay
    [Arguments]               ${board}
    ${case}=                  Export  ${board}
    Create Board By Hand      ${case}  firmware.elf
    Add Mailbox               ${case}
    Break Model
    Run Keyword And Expect Error  *sample 0: fault: the firmware took an exception*
    ...                       Replay  ${case}  ${case.folder}/broken.bin

Fault Should Be Told On Console
    [Arguments]               ${board}
    ${case}=                  Export  ${board}
    Create Board By Hand      ${case}  console.elf
    Create Console            ${case}
    ${address}=               Break Model
    ${where}=                 Evaluate  format(${address}, 'x')
    Start Emulation
    Wait For Line On Uart     fault: exception \\d+ at ${where}, cfsr 10000,  treatAsRegex=true
