#include "http_client.hpp"
#include <algorithm>
#include <curl/curl.h>
#include <memory>
#include <mutex>

namespace edupulse::search {

namespace {

constexpr std::size_t max_answer_bytes = 16u << 20;

void initialize_curl_once() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* to) {
  auto& body = *static_cast<std::string*>(to);
  const std::size_t bytes = size * count;
  if (body.size() + bytes > max_answer_bytes)
    return 0; // ends the transfer with an error
  body.append(data, bytes);
  return bytes;
}

struct list_deleter {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using header_list = std::unique_ptr<curl_slist, list_deleter>;

void add(header_list& to, const std::string& line) {
  if (auto* longer = curl_slist_append(to.get(), line.c_str())) {
    static_cast<void>(to.release());
    to.reset(longer);
  }
}

struct url_deleter {
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};

/// A part of `url`, empty when there is none.
std::string part_of(CURLU* url, CURLUPart which) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, 0) != CURLUE_OK)
    return {};
  std::string result = text;
  curl_free(text);
  return result;
}

} // namespace

struct http_client::request {
  const std::string& url;
  std::string content_type{};
  const std::string* body = nullptr; ///< null: GET
};

http_client::http_client(http_options options) : options_(std::move(options)) {
  initialize_curl_once();
  curl_ = curl_easy_init();
}

http_client::~http_client() { curl_easy_cleanup(curl_); }

expected<http_response> http_client::get(const std::string& url) { return perform(request{url}); }

expected<http_response> http_client::post(const std::string& url, const std::string& content_type,
                                          const std::string& body) {
  return perform(request{url, content_type, &body});
}

expected<http_response> http_client::perform(const request& what) {
  if (curl_ == nullptr)
    return fail(errc::io, "libcurl cannot be used: out of memory");
  http_response answer;
  char why[CURL_ERROR_SIZE] = "";
  header_list headers;
  curl_easy_reset(curl_); // keeps the connection
  curl_easy_setopt(curl_, CURLOPT_URL, what.url.c_str());
  curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl_, CURLOPT_PROXY, "");
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L); // timeouts without signals: we have threads
  curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options_.connect_timeout.count()));
  curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, why);
  if (what.body != nullptr) {
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(what.body->size()));
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, what.body->c_str());
    add(headers, "Content-Type: " + what.content_type);
    add(headers, "Expect:"); // no round trip to ask whether the body may come
  }
  for (const std::string& line : options_.headers)
    add(headers, line);
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = curl_easy_perform(curl_);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, nullptr);
  if (code != CURLE_OK)
    return fail(errc::io, *why != '\0' ? why : curl_easy_strerror(code));
  curl_off_t wait = 0;
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &answer.status);
  if (curl_easy_getinfo(curl_, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
    answer.retry_after = std::chrono::seconds(std::min<curl_off_t>(wait, 86'400));
  return answer;
}

expected<std::string> check_base_url(std::string_view url) {
  std::string text(url);
  while (text.ends_with('/'))
    text.pop_back();
  const std::unique_ptr<CURLU, url_deleter> parsed(curl_url());
  const bool readable =
      parsed && curl_url_set(parsed.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
  const std::string scheme = readable ? part_of(parsed.get(), CURLUPART_SCHEME) : std::string();
  if ((scheme != "http" && scheme != "https") || text.find(":///") != std::string::npos)
    return fail(errc::invalid_option,
                quote(without_secrets(std::string(url))) +
                    " is no address of a server; write it like http://localhost:9200");
  if (text.find_first_of("?#") != std::string::npos)
    return fail(errc::invalid_option,
                quote(without_secrets(text)) + " has a query or a fragment; leave it away");
  return text;
}

std::string without_secrets(const std::string& url) {
  const auto scheme = url.find("://");
  const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
  const auto host_end = std::min(url.find_first_of("/?#", begin), url.size());
  const auto at = url.substr(begin, host_end - begin).rfind('@');
  if (at == std::string::npos)
    return url;
  return url.substr(0, begin) + url.substr(begin + at + 1);
}

} // namespace edupulse::search
