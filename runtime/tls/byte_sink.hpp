#pragma once
// Where bytes are appended to: any vector of bytes or chars, by reference. Buffers of sockets
// differ between versions of CAF, and a copy from one kind to another would be felt at a gigabyte a
// second.

#include <cstddef>
#include <cstring>
#include <span>

namespace edupulse {

/// Passed by value; lives no longer than the vector.
class byte_sink {
public:
  template <class Vector>
  requires(sizeof(typename Vector::value_type) == 1) byte_sink(
      Vector& to) // NOLINT(google-explicit-constructor): a vector is passed where one goes
      : to_(&to), resize_([](void* vector, std::size_t change, bool grow) {
          auto& bytes = *static_cast<Vector*>(vector);
          bytes.resize(grow ? bytes.size() + change : bytes.size() - change);
          return reinterpret_cast<std::byte*>(bytes.data() + bytes.size());
        }),
        append_([](void* vector, const std::byte* from, std::size_t count) {
          auto& bytes = *static_cast<Vector*>(vector);
          const auto* first = reinterpret_cast<const typename Vector::value_type*>(from);
          bytes.insert(bytes.end(), first, first + count);
        }),
        reserve_([](void* vector, std::size_t more) {
          auto& bytes = *static_cast<Vector*>(vector);
          // Not exactly what is asked: a vector that is reserved in small steps copies each time.
          if (bytes.capacity() - bytes.size() < more)
            bytes.reserve(bytes.size() + more + bytes.size() / 2);
        }) {}

  /// `count` more bytes, to be written to before the next call.
  std::span<std::byte> extend(std::size_t count) {
    return {resize_(to_, count, true) - count, count};
  }
  /// Takes the last `count` bytes away again.
  void cut(std::size_t count) { resize_(to_, count, false); }
  void append(std::span<const std::byte> bytes) { append_(to_, bytes.data(), bytes.size()); }
  /// Room for `more` bytes at once.
  void reserve(std::size_t more) { reserve_(to_, more); }

private:
  void* to_;
  std::byte* (*resize_)(void*, std::size_t, bool);
  void (*append_)(void*, const std::byte*, std::size_t);
  void (*reserve_)(void*, std::size_t);
};

} // namespace edupulse
