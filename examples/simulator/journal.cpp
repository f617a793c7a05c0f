#include "journal.hpp"
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace edupulse::simulator {

namespace {

std::byte* map(const std::filesystem::path& file, std::size_t bytes, bool to_write) {
  const int flags = to_write ? O_RDWR | O_CREAT | O_TRUNC : O_RDONLY;
  const int number = ::open(file.c_str(), flags | O_CLOEXEC, 0600);
  if (number < 0)
    return nullptr;
  const bool good = !to_write || ::ftruncate(number, static_cast<off_t>(bytes)) == 0;
  void* at = !good ? MAP_FAILED
                   : ::mmap(nullptr, bytes, to_write ? PROT_READ | PROT_WRITE : PROT_READ,
                            MAP_SHARED, number, 0);
  ::close(number);
  return at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
}

} // namespace

journal_writer::journal_writer(const std::filesystem::path& file, std::size_t records)
    : records_(records), base_(map(file, records * sizeof(record), true)) {}

journal_writer::~journal_writer() {
  if (base_ != nullptr)
    ::munmap(base_, records_ * sizeof(record));
}

bool journal_writer::put(record_kind what, record entry) noexcept {
  const auto at = next_.fetch_add(1, std::memory_order_relaxed);
  if (at >= records_)
    return false;
  auto* place = base_ + at * sizeof entry;
  entry.kind = record_kind::nothing;
  std::memcpy(place, &entry, sizeof entry);
  // Last: whoever sees the kind sees all of it.
  std::atomic_ref kind(*reinterpret_cast<record_kind*>(place));
  kind.store(what, std::memory_order_release);
  return true;
}

journal_reader::journal_reader(const std::filesystem::path& file, std::size_t records)
    : records_(records), base_(map(file, records * sizeof(record), false)) {
  if (base_ == nullptr)
    records_ = 0;
}

journal_reader::~journal_reader() {
  if (base_ != nullptr)
    ::munmap(const_cast<std::byte*>(base_), records_ * sizeof(record));
}

journal_reader::journal_reader(journal_reader&& other) noexcept
    : records_(other.records_), base_(std::exchange(other.base_, nullptr)), whole_(other.whole_),
      told_(other.told_) {}

journal_reader& journal_reader::operator=(journal_reader&& other) noexcept {
  std::swap(records_, other.records_);
  std::swap(base_, other.base_);
  std::swap(whole_, other.whole_);
  std::swap(told_, other.told_);
  return *this;
}

std::span<const record> journal_reader::all() noexcept {
  const auto* first = reinterpret_cast<const record*>(base_);
  for (; whole_ < records_; ++whole_) {
    auto& kind = const_cast<record_kind&>(first[whole_].kind); // the mapping cannot be written
    if (std::atomic_ref(kind).load(std::memory_order_acquire) == record_kind::nothing)
      break;
  }
  return {first, whole_};
}

std::span<const record> journal_reader::fresh() noexcept {
  const auto now = all();
  return now.subspan(std::exchange(told_, now.size()));
}

} // namespace edupulse::simulator
