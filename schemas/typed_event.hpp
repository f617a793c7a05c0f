#pragma once
// Events as C++ types, to envelopes and back.

#include "schemas/envelope_writer.hpp"
#include "schemas/event_traits.hpp"
#include "schemas/payload_reader.hpp"
#include <memory>
#include <optional>
#include <utility>

namespace edupulse {

/// Errors: `wrong_type`, naming what was asked for and what it is. Another `$Event.version` is
/// accepted: the schema id is equal, so the two are compatible.
expected<void> check_type(const envelope& what, std::string_view name, std::uint64_t schema_id);

/// Makes an envelope: `fill` gets a `T::Builder`. The key is read from the payload unless `header`
/// has one. Errors: those of `envelope_writer::finish`. What `fill` throws passes through.
template <class T, class Fill> expected<envelope_ptr>
to_event(Fill&& fill, envelope_header header, std::size_t max_bytes = default_max_envelope_bytes) {
  require_event<T>();
  envelope_writer writer(event_traits<T>::type());
  auto payload = writer.payload().template initAs<T>();
  std::forward<Fill>(fill)(payload);
  if constexpr (event_traits<T>::has_key) {
    if (header.key.empty()) {
      const auto key = event_traits<T>::key(payload.asReader());
      header.key = key;
      return writer.finish(header, max_bytes);
    }
  }
  return writer.finish(header, max_bytes);
}

/// The payload of `what` through `reader`, which must be one for `what`. Errors: see `check_type`.
/// Getters of the result may throw `kj::Exception`, see payload_reader.
template <class T> expected<typename T::Reader> open(const envelope& what, payload_reader& reader) {
  require_event<T>();
  const event_type& type = event_traits<T>::type();
  if (what.schema_id() != type.schema_id || what.name() != type.name) [[unlikely]] {
    auto mismatch = check_type(what, type.name, type.schema_id);
    return tl::unexpected(std::move(mismatch.error()));
  }
  return reader.template as<T>();
}

/// An event of type `T` that keeps its envelope alive. For code outside handlers: handlers are
/// given their reader. One thread at a time.
template <class T> class event_view {
public:
  explicit event_view(envelope_ptr what)
      : envelope_(std::move(what)), reader_(std::make_unique<payload_reader>(*envelope_)),
        payload_(reader_->as<T>()) {}

  const typename T::Reader& operator*() const noexcept { return payload_; }
  const typename T::Reader* operator->() const noexcept { return &payload_; }
  const edupulse::envelope& envelope() const noexcept { return *envelope_; }

private:
  envelope_ptr envelope_;
  std::unique_ptr<payload_reader> reader_;
  typename T::Reader payload_;
};

/// Errors: see `check_type`; `malformed` when the payload is no struct that can be read.
template <class T> expected<event_view<T>> from_event(envelope_ptr what) {
  require_event<T>();
  const event_type& type = event_traits<T>::type();
  if (auto ok = check_type(*what, type.name, type.schema_id); !ok)
    return tl::unexpected(std::move(ok.error()));
  return event_view<T>(std::move(what));
}

} // namespace edupulse
