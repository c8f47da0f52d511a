#pragma once

#include "xet/result.h"

/// XET_TRY(auto value, expression): binds the value of a Result, or returns its Error from the calling
/// function. XET_TRY_STATUS(expression): the same for a Status.
#define XET_TRY(declaration, ...) XET_TRY_IMPL(XET_TRY_NAME(xet_try_, __COUNTER__), declaration, __VA_ARGS__)
#define XET_TRY_IMPL(result, declaration, ...)          \
  auto result = (__VA_ARGS__);                          \
  if (!result) [[unlikely]]                             \
    return ::tl::unexpected(std::move(result).error()); \
  declaration = *std::move(result)
#define XET_TRY_STATUS(...)                                        \
  do {                                                             \
    if (auto xet_status = (__VA_ARGS__); !xet_status) [[unlikely]] \
      return ::tl::unexpected(std::move(xet_status).error());      \
  } while (false)
#define XET_TRY_NAME(prefix, number) XET_TRY_NAME2(prefix, number)
#define XET_TRY_NAME2(prefix, number) prefix##number
