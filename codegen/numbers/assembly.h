/* Is this a core for which the library's assembly was written? If not, or with NN_PORTABLE defined, its twins in C run. */
#ifndef NN_ASSEMBLY_H
#define NN_ASSEMBLY_H

/* The twins take words for several numbers, too; plain C, which `mcusim generate` writes where no board is named, does not. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "this library is for cores that store the lowest byte first: generate plain C, with no --board, or kernels = plain in [target]"
#endif

/* It reads and writes words at any address, lowest byte first. */
#if defined(__thumb2__) && defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_UNALIGNED) && !defined(__ARM_BIG_ENDIAN) && !defined(NN_PORTABLE)
#define NN_ASSEMBLY 1
#else
#define NN_ASSEMBLY 0
#endif

/* Likewise, for assembly that uses the FPU */
#if NN_ASSEMBLY && defined(__ARM_FP)
#define NN_FLOAT_ASSEMBLY 1
#else
#define NN_FLOAT_ASSEMBLY 0
#endif

#endif
