/** Arithmetic by the rules of school: what comes from a model is read, and never run as code. */

/**
 * What an expression comes to.
 *
 * @param expression numbers, `+ - * / ^` and parentheses; `^` binds to the right
 * @throws Error that says where the expression cannot be read, or that it has no finite value
 * @example calculate("2 * (3 + 4)"); // 14
 */
export function calculate(expression: string): number {
  const tokens = expression.match(/\d+(?:\.\d+)?(?:e[+-]?\d+)?|\S/gi) ?? [];
  let at = 0;
  const next = (...wanted: readonly string[]): string | undefined => {
    const token = tokens[at];
    if (token === undefined || !wanted.includes(token)) return undefined;
    at++;
    return token;
  };
  const sum = (): number => {
    let value = product();
    for (let sign = next("+", "-"); sign !== undefined; sign = next("+", "-")) {
      value += sign === "+" ? product() : -product();
    }
    return value;
  };
  const product = (): number => {
    let value = signed();
    for (let sign = next("*", "/"); sign !== undefined; sign = next("*", "/")) {
      value = sign === "*" ? value * signed() : value / signed();
    }
    return value;
  };
  const signed = (): number => {
    const sign = next("+", "-");
    if (sign !== undefined) return sign === "-" ? -signed() : signed();
    const base = operand();
    return next("^") === undefined ? base : base ** signed();
  };
  const operand = (): number => {
    if (next("(") !== undefined) {
      const value = sum();
      if (next(")") === undefined) throw unreadable(tokens, at);
      return value;
    }
    const token = tokens[at];
    if (token === undefined || !/^\d/.test(token)) throw unreadable(tokens, at);
    at++;
    return Number(token);
  };
  const value = sum();
  if (at < tokens.length) throw unreadable(tokens, at);
  if (!Number.isFinite(value)) throw new Error(`"${expression}" has no finite value`);
  return value;
}

function unreadable(tokens: readonly string[], at: number): Error {
  const read = tokens.slice(0, at).join(" ");
  const rest = at < tokens.length ? `"${tokens[at]}"` : "nothing more";
  return new Error(`after "${read}" comes ${rest}, where a number or a sign was expected`);
}
