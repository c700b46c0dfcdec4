*** Settings ***
Documentation                 Both boards boot the image of the board itself and tell on their UART what the model makes of a few samples.
Resource                      mcusim.resource
Suite Teardown                Run Keywords  Remove Exports  AND  Teardown

*** Test Cases ***
The Nucleo Boots And Predicts
    Board Should Predict      nucleo_l452re_p

The SparkFun Edge Boots And Predicts
    Board Should Predict      sparkfun_edge

The Cycle Counter Of The Nucleo Agrees With The Model
    Cycle Counter Should Agree  nucleo_l452re_p

The Cycle Counter Of The SparkFun Edge Agrees With The Model
    Cycle Counter Should Agree  sparkfun_edge

*** Keywords ***
Board Should Predict
    [Arguments]               ${board}
    ${case}=                  Export  ${board}
    Create Board              ${case}  console.elf
    Create Console            ${case}
    Start Emulation
    ${count}=                 Get Length  ${case.console.samples}
    Wait For Line On Uart     mcusim: ${count} samples
    FOR  ${number}  ${class}  IN ENUMERATE  @{case.console.classes}
        Wait For Line On Uart  sample ${number}: class ${class},
    END
    Wait For Line On Uart     done:

Cycle Counter Should Agree
    [Documentation]           DWT_CYCCNT around cnn(), as the firmware prints it, is within 1 % of the modelled cycles.
    [Arguments]               ${board}
    ${case}=                  Export  ${board}
    Create Board              ${case}  console.elf
    Create Console            ${case}
    Start Emulation
    FOR  ${number}  ${class}  IN ENUMERATE  @{case.console.classes}
        ${line}=              Wait For Line On Uart  sample ${number}: class (\\d+), (\\d+) cycles  treatAsRegex=true
        ${off}=               Evaluate  ${line.Groups[1]} / ${case.cycles.mean} - 1
        Log                   ${line.Groups[1]} cycles counted, ${case.cycles.mean} modelled: ${off * 100} % off
        Should Be True        abs(${off}) < 0.01  ${line.Groups[1]} cycles counted, ${case.cycles.mean} modelled
    END
