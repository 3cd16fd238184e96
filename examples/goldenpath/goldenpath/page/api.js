// The server over HTTP. The token lives in a cookie which this page can't read.

export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status; // 0: the server was not reached
  }
}

let refreshing = null;

/** The JSON that a request answers. Renews an expired log-in once; throws ApiError. */
export async function call(method, path, body) {
  try {
    return await send(method, path, body);
  } catch (error) {
    if (error.status !== 401 || path.startsWith("/auth/")) throw error;
    await refresh();
    return send(method, path, body);
  }
}

/** A new token for the same session; several callers at once share one request. */
export function refresh() {
  refreshing ??= send("POST", "/auth/refresh").finally(() => {
    refreshing = null;
  });
  return refreshing;
}

export const threadPath = (thread) => `/api/threads/${encodeURIComponent(thread)}`;

async function send(method, path, body) {
  let response;
  let answer;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
    answer = await response.text();
  } catch {
    throw new ApiError(0, "The server can’t be reached.");
  }
  if (!response.ok) throw new ApiError(response.status, detailOf(answer) || `The server said ${response.status}.`);
  try {
    return answer ? JSON.parse(answer) : null;
  } catch {
    throw new ApiError(0, "Something else than the server answered."); // e.g. the sign-in page of a hotel's network
  }
}

function detailOf(answer) {
  try {
    const { detail } = JSON.parse(answer);
    if (typeof detail === "string") return detail;
    return Array.isArray(detail) ? detail.map((fault) => fault.msg).join("; ") : "";
  } catch {
    return "";
  }
}
