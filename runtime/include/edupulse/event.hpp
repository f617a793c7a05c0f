#pragma once
// Events as C++ types. Schemas compiled with `edupulse_add_events` include what they need of this.

#include "schemas/envelope.hpp"
#include "schemas/typed_event.hpp"
