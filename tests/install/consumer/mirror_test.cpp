// Links every transport that the installed package has.

#include <algorithm>
#include <edupulse/transports.hpp>

int main() {
  const auto all = edupulse::transport_schemes();
  return std::ranges::all_of(all,
                             [](const auto& scheme) {
                               const bool takes_it =
                                   edupulse::open_transport(scheme + "://127.0.0.1:1").has_value();
                               const bool refuses = !edupulse::open_transport(
                                   scheme + "://127.0.0.1:1?no_such_setting=1");
                               return takes_it && refuses;
                             })
             ? 0
             : 1;
}
