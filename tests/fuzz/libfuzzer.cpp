// The entry of libFuzzer. EDUPULSE_FUZZ_TARGET is one of the functions of targets.hpp.

#include "tests/fuzz/targets.hpp"
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  edupulse::fuzz::EDUPULSE_FUZZ_TARGET(std::as_bytes(std::span(data, size)));
  return 0;
}
