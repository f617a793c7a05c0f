#pragma once
// What a node of the fault tests saw, in a file that survives its death. Records lie in a shared
// mapping: what was put there before a SIGKILL is there after it, and putting costs no system call.
// `faults.py` reads the file; the two must agree on the layout.

#include "runtime/descriptor.hpp"
#include "schemas/ids.hpp"
#include <atomic>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace edupulse::test {

enum class seen : std::uint32_t {
  nothing = 0,   ///< a record that was begun and not finished
  intended = 1,  ///< `publish` is about to be called
  published = 2, ///< it returned, with this id
  handled = 3,
  refused = 4, ///< `publish` said no
};

/// 64 bytes, little-endian.
struct fault_record {
  std::uint32_t kind = 0;
  std::uint32_t start = 0; ///< of the publisher
  std::uint64_t number = 0;
  std::uint32_t lane = 0;
  std::uint32_t attempt = 0;
  std::uint64_t gap = 0;
  std::uint64_t id_high = 0;
  std::uint64_t id_low = 0;
  std::uint32_t best_effort = 0;
  std::uint32_t damaged = 0;
  std::uint64_t spare = 0;
};
static_assert(sizeof(fault_record) == 64);

class fault_journal {
public:
  /// A file of holes: only what is used costs memory. `is_open` says whether it could be made.
  fault_journal(const std::string& file, std::size_t records) : records_(records) {
    const descriptor to(::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!to || ::ftruncate(to.number(), static_cast<off_t>(bytes())) != 0)
      return;
    auto* at = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, to.number(), 0);
    base_ = at == MAP_FAILED ? nullptr : static_cast<char*>(at);
  }
  ~fault_journal() {
    if (base_ != nullptr)
      ::munmap(base_, bytes());
  }
  fault_journal(const fault_journal&) = delete;
  fault_journal& operator=(const fault_journal&) = delete;

  bool is_open() const noexcept { return base_ != nullptr; }
  /// False: it is full, and the test is void.
  bool put(seen what, fault_record record) noexcept {
    const auto at = next_.fetch_add(1, std::memory_order_relaxed);
    if (at >= records_)
      return false;
    auto* place = base_ + at * sizeof record;
    record.kind = 0;
    std::memcpy(place, &record, sizeof record);
    std::atomic_ref kind(*reinterpret_cast<std::uint32_t*>(place));
    kind.store(static_cast<std::uint32_t>(what), std::memory_order_release); // last: it is whole
    return true;
  }

private:
  std::size_t bytes() const noexcept { return records_ * sizeof(fault_record); }

  std::size_t records_;
  char* base_ = nullptr;
  std::atomic<std::size_t> next_{0};
};

} // namespace edupulse::test
