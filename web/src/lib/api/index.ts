export { api, data, request, type Schemas } from "./client";
export { ApiError, OfflineError, type Problem } from "./errors";
