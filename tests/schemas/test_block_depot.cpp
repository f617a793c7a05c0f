#include "schemas/block_depot.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

using namespace edupulse;

namespace {

using blocks = std::vector<void*>;

blocks take(block_depot& from, std::size_t size_class, std::size_t count) {
  blocks taken(count);
  taken.resize(from.take(size_class, taken.data(), count));
  return taken;
}

void give(block_depot& to, std::size_t size_class, const blocks& what) {
  to.give(size_class, what.data(), what.size());
}

std::uintptr_t place_of(const void* block) { return reinterpret_cast<std::uintptr_t>(block); }

} // namespace

TEST_CASE("block_depot: blocks of every size are aligned, writable and apart") {
  block_depot depot;
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> ranges;
  std::vector<blocks> all;
  for (std::size_t size = 0; size < block_depot::class_count; ++size) {
    all.push_back(take(depot, size, 150));
    REQUIRE(all.back().size() == 150);
    for (void* one : all.back()) {
      CHECK(place_of(one) % block_depot::granule == 0);
      std::memset(one, 0x5a, block_depot::bytes_of(size));
      ranges.emplace_back(place_of(one), place_of(one) + block_depot::bytes_of(size));
    }
  }
  std::sort(ranges.begin(), ranges.end());
  for (std::size_t i = 1; i < ranges.size(); ++i)
    CHECK(ranges[i - 1].second <= ranges[i].first);
  for (std::size_t size = 0; size < all.size(); ++size)
    give(depot, size, all[size]);
}

TEST_CASE("block_depot: what was given back is given out again before more is asked for") {
  block_depot depot;
  auto first = take(depot, 7, 5'000);
  const auto mapped = depot.mapped_bytes();
  give(depot, 7, first);
  auto second = take(depot, 7, 5'000);
  CHECK(depot.mapped_bytes() <= mapped);
  give(depot, 7, second);
}

TEST_CASE("block_depot: a span that is empty serves blocks of any size") {
  block_depot depot;
  give(depot, 3, take(depot, 3, 4'000));
  const auto mapped = depot.mapped_bytes();
  give(depot, 9, take(depot, 9, 1'500));
  CHECK(depot.mapped_bytes() == mapped);
}

TEST_CASE("block_depot: after a burst all but a few regions go back to the system") {
  block_depot depot;
  auto burst = take(depot, 8, 100'000); // 58 MB
  REQUIRE(burst.size() == 100'000);
  CHECK(depot.mapped_bytes() >= burst.size() * block_depot::bytes_of(8));
  give(depot, 8, burst);
  CHECK(depot.mapped_bytes() <= block_depot::spare_regions * block_depot::region_bytes);
}

TEST_CASE("block_depot: one block that stays keeps one region") {
  block_depot depot;
  auto burst = take(depot, 8, 50'000);
  const auto kept = burst[25'000];
  burst.erase(burst.begin() + 25'000);
  std::memset(kept, 0x11, block_depot::bytes_of(8));
  give(depot, 8, burst);
  CHECK(depot.mapped_bytes() <= (block_depot::spare_regions + 1) * block_depot::region_bytes);
  CHECK(static_cast<unsigned char*>(kept)[block_depot::bytes_of(8) - 1] == 0x11);
  depot.give(8, &kept, 1);
}

TEST_CASE("block_depot: blocks that come and go in any order never overlap, and leave nothing") {
  test::random_numbers chance;
  std::mt19937_64 order(chance.next());
  block_depot depot;
  std::vector<blocks> out(block_depot::class_count);
  for (int turn = 0; turn < 3'000; ++turn) {
    const auto size = chance.below(block_depot::class_count);
    auto& those = out[size];
    if (chance.one_in(2)) {
      for (void* one : take(depot, size, 1 + chance.below(std::size_t(200)))) {
        std::memset(one, static_cast<int>(size), block_depot::bytes_of(size));
        those.push_back(one);
      }
      continue;
    }
    std::shuffle(those.begin(), those.end(), order);
    const auto count = std::min<std::size_t>(those.size(), chance.below(std::size_t(300)));
    const blocks some(those.end() - static_cast<std::ptrdiff_t>(count), those.end());
    those.resize(those.size() - count);
    for (void* one : some) {
      const auto* bytes = static_cast<const unsigned char*>(one);
      REQUIRE(std::all_of(bytes, bytes + block_depot::bytes_of(size),
                          [&](unsigned char byte) { return byte == size; }));
    }
    give(depot, size, some);
  }
  for (std::size_t size = 0; size < out.size(); ++size)
    give(depot, size, out[size]);
  CHECK(depot.mapped_bytes() <= block_depot::spare_regions * block_depot::region_bytes);
}

TEST_CASE("block_depot: threads take and give at once") {
  block_depot depot;
  std::vector<std::thread> running;
  for (std::size_t t = 0; t < 4; ++t)
    running.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i)
        give(depot, t % 2, take(depot, t % 2, 64));
    });
  for (auto& one : running)
    one.join();
  CHECK(depot.mapped_bytes() <= block_depot::spare_regions * block_depot::region_bytes);
}
