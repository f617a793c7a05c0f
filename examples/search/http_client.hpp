#pragma once
// As much HTTP as the two search servers need, over libcurl.

#include <chrono>
#include <edupulse/handler.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse::search {

struct http_options {
  /// Lines sent with every request, such as `Authorization: Bearer KEY`.
  std::vector<std::string> headers{};
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(2);
  /// Of one whole request. Too short: a busy server looks dead. Too long: the handler's time limit
  /// passes first.
  std::chrono::milliseconds timeout = std::chrono::seconds(10);
};

struct http_response {
  long status = 0;
  std::string body;
  std::optional<std::chrono::seconds> retry_after;
};

/// One connection, kept open between requests. One thread at a time. Proxies of the environment are
/// not used and redirects are not followed: a search server is asked directly.
class http_client {
public:
  explicit http_client(http_options options);
  ~http_client();
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;

  /// Errors: `io` when there is no answer: refused, timed out, closed, or larger than 16 MiB.
  expected<http_response> get(const std::string& url);
  expected<http_response> post(const std::string& url, const std::string& content_type,
                               const std::string& body);

private:
  struct request;
  expected<http_response> perform(const request& what);

  http_options options_;
  void* curl_ = nullptr;
};

/// The address of a server as the indexes take it: http or https, a host, no query, no slash at the
/// end. Errors: `invalid_option`.
expected<std::string> check_base_url(std::string_view url);

/// `url` without the user and password it may hold.
std::string without_secrets(const std::string& url);

} // namespace edupulse::search
