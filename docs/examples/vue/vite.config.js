import vue from '@vitejs/plugin-vue';

const isCustomElement = (tag) => tag.startsWith('presence-');

export default { plugins: [vue({ template: { compilerOptions: { isCustomElement } } })] };
