// Must not compile: the struct has no `$Event.name`.
#include "kinds.capnp.h"
#include "schemas/typed_event.hpp"

auto publish() {
  return edupulse::to_event<kinds::inner::NotAnEvent>([](auto) {}, {});
}
