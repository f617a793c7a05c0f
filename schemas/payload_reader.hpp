#pragma once
// Reads the payload of one envelope, in place.

#include "schemas/envelope.hpp"
#include <capnp/message.h>

namespace edupulse {

/// A fresh one for each handler and attempt, on its stack: Cap'n Proto counts what is traversed
/// against a limit, and a reader that is shared between threads or attempts would run out for
/// reasons that are not the event's. Nothing is copied or checked beforehand. A payload that turns
/// out to be malformed, or points at more than 64 times its own size, or nests deeper than 64,
/// throws `kj::Exception` from the getter that meets it (see `payload_fault`).
class payload_reader final : public capnp::MessageReader {
public:
  /// `what` must stay alive while the reader and anything read through it is used.
  explicit payload_reader(const envelope& what) noexcept;
  ~payload_reader() noexcept(false) override = default;

  kj::ArrayPtr<const capnp::word> getSegment(unsigned id) override;

  /// The payload, whatever its type; null when nothing was set.
  capnp::AnyPointer::Reader payload() { return getRoot<capnp::AnyPointer>(); }

  /// The payload as a `T`, unchecked: `open<T>` of typed_event.hpp checks first.
  template <class T> typename T::Reader as() { return getRoot<T>(); }

  /// The payload as a struct that is known only at run time: `as<capnp::DynamicStruct>(schema)`,
  /// with <capnp/dynamic.h>.
  template <class T> typename T::Reader as(capnp::StructSchema schema) {
    return getRoot<T>(schema);
  }

private:
  std::span<const capnp::word> words_;
};

} // namespace edupulse
