-- A case's equipment is a product, a model of it and a range of software; until now it was one name, whose first word is taken for the product.
UPDATE library_case SET body = json_set(body, '$.equipment', (
    SELECT json_group_array(json_object(
        'product', substr(e.value, 1, instr(e.value || ' ', ' ') - 1),
        'model', CASE WHEN instr(e.value, ' ') THEN substr(e.value, instr(e.value, ' ') + 1) ELSE '' END))
    FROM json_each(library_case.body, '$.equipment') e
)) WHERE json_type(body, '$.equipment') = 'array';
UPDATE library_version SET body = json_set(body, '$.equipment', (
    SELECT json_group_array(json_object(
        'product', substr(e.value, 1, instr(e.value || ' ', ' ') - 1),
        'model', CASE WHEN instr(e.value, ' ') THEN substr(e.value, instr(e.value, ' ') + 1) ELSE '' END))
    FROM json_each(library_version.body, '$.equipment') e
)) WHERE json_type(body, '$.equipment') = 'array';
