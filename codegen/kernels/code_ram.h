/* Assembly that waits for the flash more than it is worth runs from RAM: it lies in a section of this name.
 *
 * A linker script that knows the section puts it into RAM, and start-up code copies it there from flash, as it does with
 * .data; best is RAM that code is fetched from over a bus of its own, at 0x10000000 on an STM32L4. A script that does not
 * know it leaves the code in flash, where it runs as well. Vendors' scripts know others: -DNN_RAM_SECTION=.RamFunc
 * (STM32CubeIDE), -DNN_RAM_SECTION=.ramfunc (Zephyr); from RAM at 0x20000000 code comes over the bus of data.
 */
#ifndef CODE_RAM_H
#define CODE_RAM_H

#ifndef NN_RAM_SECTION
#define NN_RAM_SECTION .nn_ram_code
#endif

#endif
