/*
 * What every fuzz target defines: takes one input, returns 0, and aborts where something is wrong with it
 * that no input may cause.
 */
#ifndef SA_TESTS_FUZZ_H
#define SA_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
