#pragma once
// What it means when a search server does not do its work.

#include "http_client.hpp"

namespace edupulse::search {

/// `unavailable`, with the server's own words, what to do, and its Retry-After. `what` is an error
/// or an answer that is no success. Made of the server's name and its answer alone.
inline outcome unavailable_after(const std::string& server, const expected<http_response>& what) {
  if (!what)
    return outcome::unavailable(server + ": " + what.error().text);
  std::string why = server + ": status " + std::to_string(what->status);
  if (what->status == 401 || what->status == 403)
    why += " (check the key)";
  else if (what->status == 429)
    why += " (it has too much to do)";
  else if (what->status == 404)
    why += " (no such index or path; check the address)";
  if (!what->body.empty())
    why += ", " + what->body.substr(0, 300);
  if (what->retry_after)
    return outcome::unavailable(std::move(why), *what->retry_after);
  return outcome::unavailable(std::move(why));
}

} // namespace edupulse::search
