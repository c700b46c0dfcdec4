/* float32: numbers are what they stand for. Included by number.h. */
#ifndef NN_FLOAT32_H
#define NN_FLOAT32_H

#define NN_FINISH NN_LIMIT
#define nn_finish(sum, channel, p) nn_limit(sum, p)
#define NN_RECORD 1 /* words of a channel: its bias */
#define NN_FACTOR_WORDS(p) 0 /* behind the weights of a row */
#define nn_finish_of(sum, record, p) ((void)(record), nn_finish(sum, 0, p))

#define NN_ADDITION NN_FINISH
#define nn_begin_sum(first, p) (first) /* 0.0f would make a sum of -0.0f positive */
#define NN_NEXT_ADDEND 1
#define nn_addend(x, input, p) (x)

#define NN_PRODUCT NN_FINISH
#define nn_product(x, y, p) nn_finish((x) * (y), 0, p)

#define NN_CONVERSION
#define nn_convert(x, p) (x)

#define NN_AVERAGING
#define nn_average(sum, count, p) ((sum) / (float)(count))

#endif
