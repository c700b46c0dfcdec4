/* Calls the model once. A real program reads its samples from a sensor, as model.h says they have to be. */
#include "model.h"

#ifdef MODEL_RECORDS
static model_input_t input;
static model_output_t output;
#define RUN() cnn(&input, &output)
#else
#ifndef MODEL_INPUT_TYPE
#define MODEL_INPUT_TYPE number_t
#endif
#ifndef MODEL_OUTPUT_TYPE
#define MODEL_OUTPUT_TYPE number_t
#endif
static MODEL_INPUT_TYPE input[MODEL_INPUT_ELEMENTS];
static MODEL_OUTPUT_TYPE output[MODEL_OUTPUT_ELEMENTS];
#define RUN() cnn(input, output)
#endif

int main(void)
{
    RUN();
    return 0;
}
