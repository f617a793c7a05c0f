#include "schemas/typed_event.hpp"

#include <cstdio>

namespace edupulse {

namespace {

std::string described(std::string_view name, std::uint64_t schema_id) {
  char id[24];
  std::snprintf(id, sizeof id, "@0x%016llx", static_cast<unsigned long long>(schema_id));
  return quote(name) + " (schema " + id + ")";
}

} // namespace

expected<void> check_type(const envelope& what, std::string_view name, std::uint64_t schema_id) {
  if (what.name() == name && what.schema_id() == schema_id)
    return {};
  return fail(errc::wrong_type, "the event is " + described(what.name(), what.schema_id()) +
                                    ", and " + described(name, schema_id) + " was asked for");
}

} // namespace edupulse
