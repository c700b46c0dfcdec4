/* The counter of cycles, read between layers. */
#include "layers.h"

#include "board.h"
#include "harness.h"

layer_cycles_t mcusim_layer_cycles = {.layers = MODEL_LAYERS};
static uint32_t last;

/* Mark 0 stands where the model begins, mark 1 right behind it, and one more behind each layer. */
void mcusim_mark(uint32_t number)
{
    const uint32_t now = REGISTER(DWT_CYCCNT), since = now - last;
    if (mcusim_samples_done != 0) {
        if (number == 0) {
            mcusim_layer_cycles.samples++;
        } else if (number == 1) {
            mcusim_layer_cycles.nothing += since;
        } else {
            mcusim_layer_cycles.cycles[number - 2u] += since;
        }
    }
    last = REGISTER(DWT_CYCCNT); /* what is left to do is in each gap, also in that of nothing */
    mcusim_layer_cycles.marks += mcusim_samples_done != 0 ? last - now : 0u;
}
