/** Returns the record's value for a name from a model; undefined for inherited properties such as `constructor`. */
export function ownProperty<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}
