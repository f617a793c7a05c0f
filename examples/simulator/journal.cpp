#include "journal.hpp"
#include <algorithm>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace edupulse::simulator {

namespace {

/// At the beginning of the file: how many places of records were taken.
using taken_count = std::uint64_t;
constexpr std::size_t head = sizeof(record);

std::atomic_ref<taken_count> taken(std::byte* base) {
  return std::atomic_ref(*reinterpret_cast<taken_count*>(base));
}

std::size_t bytes_of(std::size_t records) { return head + records * sizeof(record); }

std::byte* map(int number, std::size_t bytes, int access) {
  void* at = ::mmap(nullptr, bytes, access, MAP_SHARED, number, 0);
  return at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
}

std::byte* made(const std::filesystem::path& file, std::size_t bytes) {
  const int number = ::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (number < 0)
    return nullptr;
  const bool good = ::ftruncate(number, static_cast<off_t>(bytes)) == 0;
  auto* at = good ? map(number, bytes, PROT_READ | PROT_WRITE) : nullptr;
  ::close(number);
  return at;
}

} // namespace

journal_writer::journal_writer(const std::filesystem::path& file, std::size_t records)
    : records_(records), base_(made(file, bytes_of(records))) {}

journal_writer::~journal_writer() {
  if (base_ != nullptr)
    ::munmap(base_, bytes_of(records_));
}

bool journal_writer::put(record_kind what, record entry) noexcept {
  const auto at = taken(base_).fetch_add(1, std::memory_order_relaxed);
  if (at >= records_)
    return false;
  auto* place = base_ + bytes_of(at);
  entry.kind = record_kind::nothing;
  std::memcpy(place, &entry, sizeof entry);
  // Last: whoever sees the kind sees all of it.
  std::atomic_ref kind(*reinterpret_cast<record_kind*>(place));
  kind.store(what, std::memory_order_release);
  return true;
}

journal_reader::journal_reader(const std::filesystem::path& file) {
  const int number = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (number < 0)
    return;
  struct stat found {};
  if (::fstat(number, &found) == 0 && static_cast<std::size_t>(found.st_size) > head) {
    const auto bytes = static_cast<std::size_t>(found.st_size);
    base_ = map(number, bytes, PROT_READ);
    records_ = base_ == nullptr ? 0 : (bytes - head) / sizeof(record);
  }
  ::close(number);
}

journal_reader::~journal_reader() {
  if (base_ != nullptr)
    ::munmap(const_cast<std::byte*>(base_), bytes_of(records_));
}

journal_reader::journal_reader(journal_reader&& other) noexcept
    : records_(other.records_), base_(std::exchange(other.base_, nullptr)), whole_(other.whole_),
      told_(other.told_), ended_(other.ended_) {}

journal_reader& journal_reader::operator=(journal_reader&& other) noexcept {
  std::swap(records_, other.records_);
  std::swap(base_, other.base_);
  std::swap(whole_, other.whole_);
  std::swap(told_, other.told_);
  std::swap(ended_, other.ended_);
  return *this;
}

std::span<const record> journal_reader::all() noexcept {
  if (base_ == nullptr)
    return {};
  auto* base = const_cast<std::byte*>(base_); // the mapping cannot be written
  const auto begun = std::min<std::size_t>(records_, taken(base).load(std::memory_order_acquire));
  auto* first = reinterpret_cast<record*>(base + head);
  for (; whole_ < begun; ++whole_) {
    std::atomic_ref kind(first[whole_].kind);
    if (kind.load(std::memory_order_acquire) == record_kind::nothing && !ended_)
      break;
  }
  return {first, whole_};
}

std::span<const record> journal_reader::fresh() noexcept {
  const auto now = all();
  return now.subspan(std::exchange(told_, now.size()));
}

} // namespace edupulse::simulator
