import { Type, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { closeSchema } from './close-schema.ts';

const Line = Type.Object({ price: Type.String() });
const Open = Type.Object({
  lines: Type.Optional(Type.Array(Line)),
  either: Type.Optional(Type.Union([Line, Type.Null()])),
  prices: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z]+$' }), Line)),
  id: Type.Optional(Type.Intersect([Type.String({ pattern: '^[0-9]+$' }), Type.String({ description: 'An id' })])),
});

describe('a closed schema', () => {
  it.each([
    ['at the top', { x: 1 }],
    ['in a list', { lines: [{ price: '1' }, { price: '2', x: 1 }] }],
    ['in a branch of a union', { either: { price: '1', x: 1 } }],
    ['in a record', { prices: { a: { price: '1', x: 1 } } }],
    ['that reaches the prototype', JSON.parse('{"lines":[{"price":"1","__proto__":1}]}')],
  ])('takes no undeclared member %s, where the open one did', (_where, value) => {
    expect(Compile(Open).Check(value)).toBe(true);
    expect(Compile(closeSchema(Open)).Check(value)).toBe(false);
  });

  it('takes what is declared, and leaves the open one as it was', () => {
    const before = JSON.stringify(Open);
    const closed = Compile(closeSchema(Open));
    for (const value of [{}, { lines: [{ price: '1' }] }, { either: null }, { prices: { a: { price: '1' } }, id: '7' }]) expect(closed.Check(value)).toBe(true);
    expect(JSON.stringify(Open)).toBe(before);
  });

  it('asks for no member that has a default', () => {
    const closed = closeSchema(Type.Object({ page: Type.Integer({ default: 1 }), userId: Type.String() }));
    expect(closed).toMatchObject({ required: ['userId'] });
  });

  it.each<[string, TSchema]>([
    ['takes anything', Type.Object({ anything: Type.Unknown() })],
    ['takes every member', Type.Object({}, { additionalProperties: true })],
    ['is put together of objects', Type.Intersect([Line, Type.Object({ name: Type.String() })])],
    ['says nothing of its items', Type.Object({ list: { type: 'array' } })],
  ])('is not to be had of one that %s', (_what, schema) => {
    expect(() => closeSchema(schema)).toThrow("a request's schema must");
  });
});
