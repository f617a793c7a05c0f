#include "schemas/large_blocks.hpp"
#include "tests/support/catch.hpp"
#include <cstring>
#include <vector>

using namespace edupulse;

namespace {
constexpr std::size_t mib = 1u << 20;
}

TEST_CASE("large_blocks: a block serves the next event of about its size") {
  large_blocks store;
  void* const first = store.take(mib + 1);
  std::memset(first, 1, mib + 1);
  store.give(first, mib + 1);
  void* const second = store.take(mib + 50'000); // the same when rounded
  CHECK(second == first);
  std::memset(second, 2, mib + 50'000);
  void* const third = store.take(mib + 1);
  CHECK(third != second);
  store.give(second, mib + 50'000);
  store.give(third, mib + 1);
}

TEST_CASE("large_blocks: one that is too small is not given") {
  large_blocks store;
  store.give(store.take(mib), mib);
  void* const larger = store.take(2 * mib);
  std::memset(larger, 3, 2 * mib);
  CHECK(store.kept_bytes() == mib);
  store.give(larger, 2 * mib);
}

TEST_CASE("large_blocks: no more is kept than its bound, and the oldest makes room") {
  large_blocks store;
  std::vector<void*> burst;
  for (int i = 0; i < 20; ++i)
    burst.push_back(store.take(mib));
  void* const odd = store.take(3 * mib);
  store.give(odd, 3 * mib);
  for (void* one : burst)
    store.give(one, mib);
  CHECK(store.kept_bytes() == large_blocks::max_kept_bytes);
  void* const last = store.take(mib);
  CHECK(last == burst.back());
  CHECK(store.kept_bytes() == large_blocks::max_kept_bytes - mib);
  store.give(last, mib);
}

TEST_CASE("large_blocks: what is larger than the bound is not kept") {
  large_blocks store;
  store.give(store.take(9 * mib), 9 * mib);
  CHECK(store.kept_bytes() == 0);
}
