/* What the model takes and gives. Of the harness only main() and transports see it: the rest is compiled alike for all. */
#ifndef MCUSIM_SAMPLE_H
#define MCUSIM_SAMPLE_H

#include "model.h"

/* A sample as cnn() takes it, an answer as it gives it: numbers in a row, or a record of several inputs or outputs. */
#ifdef MODEL_RECORDS
typedef model_input_t sample_t;
typedef model_output_t answer_t;
#else
#ifdef MODEL_INPUT_TYPE
typedef MODEL_INPUT_TYPE sample_t[MODEL_INPUT_ELEMENTS];
#else
typedef number_t sample_t[MODEL_INPUT_ELEMENTS];
#endif
#ifdef MODEL_OUTPUT_TYPE
typedef MODEL_OUTPUT_TYPE answer_t[MODEL_OUTPUT_ELEMENTS];
#else
typedef number_t answer_t[MODEL_OUTPUT_ELEMENTS];
#endif
#endif

#endif
