/** A JSON Schema, as far as tests read it. */
export interface JsonSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

/** Names the fields of a schema that have no description. */
export function undescribedFields(schema: JsonSchema, path: string): string[] {
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
      ...(field.description === undefined ? [`${path}.${name}`] : []),
      ...undescribedFields(field, `${path}.${name}`),
    ]),
    ...(schema.items === undefined ? [] : undescribedFields(schema.items, `${path}[]`)),
    ...(schema.anyOf ?? []).flatMap((choice) => undescribedFields(choice, path)),
  ];
}
