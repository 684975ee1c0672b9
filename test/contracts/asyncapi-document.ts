import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import { parse } from 'yaml';
import type { PublishedEventType } from '../../src/contracts/payment-messages.ts';

/** The parts of docs/asyncapi.yaml that are compared with the program. */
export interface AsyncApiDocument {
  readonly info: { readonly version: string };
  readonly channels: Readonly<Record<string, Channel>>;
  readonly operations: Readonly<Record<string, Operation>>;
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>;
    readonly schemas: Readonly<Record<string, EventSchema>>;
  };
}

export interface Channel {
  readonly address: string;
  readonly parameters?: Readonly<Record<string, { readonly enum: readonly string[] }>>;
  readonly messages: Readonly<Record<string, { readonly $ref: string }>>;
  readonly bindings: { readonly amqp: ChannelBinding };
}

export interface ChannelBinding {
  readonly exchange?: { readonly name: string; readonly type: string; readonly durable: boolean; readonly autoDelete: boolean };
  readonly queue?: { readonly name: string; readonly durable: boolean; readonly exclusive: boolean; readonly autoDelete: boolean };
  readonly 'x-bound-to'?: { readonly exchange: string; readonly routingKey: string };
  readonly 'x-queue-arguments'?: Readonly<Record<string, string | number | boolean>>;
}

interface Operation {
  readonly action: 'send' | 'receive';
  readonly channel: { readonly $ref: string };
  readonly messages: readonly { readonly $ref: string }[];
  readonly bindings: { readonly amqp: Readonly<Record<string, unknown>> };
}

interface Message {
  readonly name: string;
  readonly bindings: { readonly amqp: { readonly contentEncoding: string; readonly messageType: string } };
  readonly examples: readonly { readonly name: string; readonly headers: Fields; readonly payload: Fields }[];
}

interface EventSchema {
  readonly 'x-schema-version'?: number;
  readonly properties?: Readonly<Record<string, { readonly enum?: readonly string[]; readonly properties?: object }>>;
  readonly required?: readonly string[];
}

export type Fields = Readonly<Record<string, unknown>>;

const PATH = join(import.meta.dirname, '../../docs/asyncapi.yaml');

export const asyncApi = parse(readFileSync(PATH, 'utf8')) as AsyncApiDocument;

/** What is wrong with a value; empty when it is right. */
export type Check = (value: unknown) => readonly string[];

/** @returns the check of the document against the specification's own schema of this version. */
export function specificationCheck(version: '3.1.0'): Check {
  // The edition whose parts have no `$id`: one of those is the id of draft 07, which the validator has already.
  const schema = createRequire(import.meta.url)(`@asyncapi/specs/schemas/${version}-without-$id.json`) as object;
  const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
  formats.default(ajv);
  return explained(ajv.compile(schema));
}

// Strict, so that a misspelt keyword is an error and not a check that never takes place. A type's required facts are
// described one level up.
const ajv = new Ajv({ strict: true, strictRequired: false, allErrors: true });
formats.default(ajv);
ajv.addVocabulary([...Object.keys(asyncApi), 'x-event-store-stream', 'x-schema-version']);
ajv.addSchema(asyncApi, 'asyncapi');

export const payloadCheck = (type: PublishedEventType): Check => at(`components/messages/${type}/payload`);
export const headersCheck = (type: PublishedEventType): Check => at(`components/messages/${type}/headers`);
export const propertiesCheck = (type: PublishedEventType): Check => at(`components/messages/${type}/x-amqp-properties`);
export const schemaCheck = (name: string): Check => at(`components/schemas/${name}`);

function at(pointer: string): Check {
  return explained(ajv.compile({ $ref: `asyncapi#/${pointer}` }));
}

function explained(validate: ValidateFunction): Check {
  return (value) => (validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message }: ErrorObject) => `${instancePath} ${message ?? ''}`));
}

/** @returns what a reference inside the document leads to; undefined when it leads nowhere. */
export function resolveReference(reference: string): unknown {
  const names = reference.replace(/^#\//, '').split('/').map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  return names.reduce<unknown>((value, name) => (value as Fields | undefined)?.[name], asyncApi);
}
