#pragma once
// Catch2 2 (Debian 12) or 3 (newer): tests include this and nothing of Catch2's own.
#if __has_include(<catch2/catch.hpp>)
#include <catch2/catch.hpp>
#else
#include <catch2/catch_all.hpp>
using Catch::Approx;
#endif
