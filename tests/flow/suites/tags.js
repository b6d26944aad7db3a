// tags.js: tags as a resource of their own (…/providers/Microsoft.Resources/tags/default) of subscriptions, groups, hubs and instances: read, replaced, merged, deleted.
// States that nothing but tags changes, and that of many who change different tags at once each finds his.
'use strict';

const { describe, test, before, after } = require('node:test');
const { assert, idscope, stack, expect, each, refusedArm, sharedScene, VERSION } = require('../kit');

const made = {};
const at = {
  subscription: () => `/subscriptions/${idscope.subscription}`,
  group: () => idscope.groupPath(made.scene.group),
  hub: () => idscope.hubPath(made.scene.group, made.scene.hubs[0].name),
  instance: () => idscope.instancePath(made.scene.group, made.scene.instance.name),
};

describe('tags: as a resource of their own', () => {
  made.scene = sharedScene({ before, after }, { hubs: 1 });

  for (const [noun, path] of Object.entries(at)) describe(`of a ${noun}`, () => {
    const call = (method, body) => idscope.arm(method, `${path()}/providers/Microsoft.Resources/tags/default`, { body, version: '2021-04-01' });
    const tagsOf = async (method, body) => expect(method, await call(method, body), 200).properties.tags;
    const patch = (operation, tags) => tagsOf('PATCH', { operation, properties: { tags } });
    const itself = async () => expect('itself', await idscope.arm('GET', path(), { version: VERSION.group }), 200);

    test('they are those of the thing itself, of which nothing else changes', async () => {
      expect('none yet', await call('DELETE'), 200);
      const was = await itself();
      assert.deepEqual(await tagsOf('GET'), {});
      assert.deepEqual(await tagsOf('PUT', { properties: { tags: { a: '1', b: '2' } } }), { a: '1', b: '2' });
      const { id, name, type, properties } = expect('get', await call('GET'), 200);
      assert.deepEqual([id, name, type, properties], [`${was.id}/providers/Microsoft.Resources/tags/default`, 'default', 'Microsoft.Resources/tags', { tags: { a: '1', b: '2' } }]);
      const now = await itself();
      assert.deepEqual(now, { ...was, tags: { a: '1', b: '2' }, ...(was.etag && { etag: now.etag }) });
      if (was.etag) assert.notEqual(now.etag, was.etag);
    });

    test('some are merged, whatever the case of their names, deleted by name and value, replaced', async () => {
      await patch('Replace', { a: '1', b: '2' });
      assert.deepEqual(await patch('Merge', { B: '3', c: '4' }), { a: '1', b: '3', c: '4' });
      assert.deepEqual(await patch('Delete', { A: '1', b: 'another', d: '' }), { b: '3', c: '4' });
      assert.deepEqual(await patch('replace', { z: '9' }), { z: '9' });
      assert.deepEqual(await patch('Merge', {}), { z: '9' });
      const answer = await call('DELETE');
      assert.deepEqual([answer.status, answer.text], [200, '']);
      assert.deepEqual([await tagsOf('GET'), (await itself()).tags], [{}, {}]);
    });

    test('no more than fifty come together, and then none is merged', async () => {
      const many = (from, n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`t${from + i}`, '']));
      await patch('Replace', many(0, 49));
      refusedArm(await call('PATCH', { operation: 'Merge', properties: { tags: many(49, 2) } }), 400, 'InvalidRequestContent', /at most 50/);
      assert.deepEqual(await tagsOf('GET'), many(0, 49));
      await patch('Merge', many(49, 1));
    });

    test('of eight who merge different ones at once each finds his, and each is on record', async () => {
      await patch('Replace', {});
      const events = () => stack.sql(`select count(*) from idscope.audit_event where operation = '${noun}_tags_patch'`);
      const was = Number(await events());
      await each(Array.from({ length: 8 }, (_, i) => `t${i}`), 4, (name) => patch('Merge', { [name]: name }));
      assert.deepEqual(Object.keys(await tagsOf('GET')).sort(), ['t0', 't1', 't2', 't3', 't4', 't5', 't6', 't7']);
      assert.equal(Number(await events()), was + 8);
    });
  });

  test('of what is not there, there are none', async () => {
    for (const path of [`${at.hub()}x`, `${at.instance()}x`]) refusedArm(await idscope.arm('GET', `${path}/providers/Microsoft.Resources/tags/default`), 404, 'ResourceNotFound');
    refusedArm(await idscope.arm('GET', `${at.group()}x/providers/Microsoft.Resources/tags/default`), 404, 'ResourceGroupNotFound');
  });
});
