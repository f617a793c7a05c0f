#include "schemas/envelope_pool.hpp"
#include "tests/support/catch.hpp"
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

using namespace edupulse;

namespace {

struct block {
  void* at;
  std::size_t bytes;
};

block make(std::size_t bytes, unsigned char mark) {
  void* at = envelope_pool::allocate(bytes);
  std::memset(at, mark, bytes);
  return {at, bytes};
}

bool intact(const block& what, unsigned char mark) {
  const auto* bytes = static_cast<const unsigned char*>(what.at);
  for (std::size_t i = 0; i < what.bytes; ++i)
    if (bytes[i] != mark)
      return false;
  return true;
}

} // namespace

TEST_CASE("envelope_pool: blocks of every size are aligned and do not overlap") {
  std::vector<block> blocks;
  for (std::size_t bytes = 16; bytes <= envelope_pool::max_pooled_bytes + 200; bytes += 24) {
    blocks.push_back(make(bytes, static_cast<unsigned char>(bytes)));
    CHECK(reinterpret_cast<std::uintptr_t>(blocks.back().at) % 16 == 0);
  }
  for (const block& one : blocks) {
    CHECK(intact(one, static_cast<unsigned char>(one.bytes)));
    envelope_pool::free(one.at, one.bytes);
  }
}

TEST_CASE("envelope_pool: a thread gets back what it freed") {
  if (!envelope_pool::enabled)
    return;
  std::vector<void*> first;
  for (int i = 0; i < 128; ++i)
    first.push_back(envelope_pool::allocate(600));
  for (void* one : first)
    envelope_pool::free(one, 600);
  const std::set<void*> known(first.begin(), first.end());
  std::vector<void*> second;
  for (int i = 0; i < 128; ++i)
    second.push_back(envelope_pool::allocate(620)); // the same class of sizes
  for (void* one : second) {
    CHECK(known.count(one) == 1);
    envelope_pool::free(one, 620);
  }
}

TEST_CASE("envelope_pool: blocks freed on one thread serve another") {
  if (!envelope_pool::enabled)
    return;
  constexpr int count = 1'000;
  std::vector<void*> given;
  for (int i = 0; i < count; ++i)
    given.push_back(envelope_pool::allocate(1'500));
  std::thread([&] {
    for (void* one : given)
      envelope_pool::free(one, 1'500);
  }).join();
  CHECK(envelope_pool::stored_bytes() > 0);
  const std::set<void*> known(given.begin(), given.end());
  int again = 0;
  std::vector<void*> taken;
  for (int i = 0; i < count; ++i) {
    taken.push_back(envelope_pool::allocate(1'500));
    again += known.count(taken.back()) == 1;
  }
  CHECK(again >= count - 128); // what the thread kept in part of a batch is gone with it
  for (void* one : taken)
    envelope_pool::free(one, 1'500);
}

TEST_CASE("envelope_pool: the store keeps no more than its bound after a burst") {
  std::vector<void*> burst;
  for (int i = 0; i < 20'000; ++i) // 20 MB
    burst.push_back(envelope_pool::allocate(1'024));
  std::thread([&] {
    for (void* one : burst)
      envelope_pool::free(one, 1'024);
  }).join();
  CHECK(envelope_pool::stored_bytes() <= envelope_pool::max_stored_bytes);
}

TEST_CASE("envelope_pool: threads that pass blocks around never share one") {
  constexpr int threads = 4;
  std::mutex lock;
  std::vector<block> shared;
  std::atomic<int> broken{0};
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t)
    running.emplace_back([&, t] {
      std::uint32_t state = static_cast<std::uint32_t>(t) + 1;
      for (int i = 0; i < 20'000; ++i) {
        state = state * 1664525 + 1013904223;
        const std::size_t bytes = 100 + (state >> 16) % 700;
        block mine = make(bytes, static_cast<unsigned char>(bytes));
        {
          const std::lock_guard guard(lock);
          shared.push_back(mine);
          std::swap(shared.back(), shared[state % shared.size()]);
          mine = shared.back();
          shared.pop_back();
        }
        broken += !intact(mine, static_cast<unsigned char>(mine.bytes));
        if (i % 3 == 0) { // keep some of them going round
          const std::lock_guard guard(lock);
          shared.push_back(mine);
        } else {
          envelope_pool::free(mine.at, mine.bytes);
        }
      }
    });
  for (auto& thread : running)
    thread.join();
  CHECK(broken == 0);
  for (const block& one : shared)
    envelope_pool::free(one.at, one.bytes);
}
